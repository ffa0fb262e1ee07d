//! How much of the database PostgreSQL may keep in memory.

use std::fs;
use std::path::{Path, PathBuf};

const MIB: u64 = 1024 * 1024;
/// What PostgreSQL takes by itself.
pub const LEAST: u64 = 128 * MIB;
/// More is for an admin to give, with a PostgreSQL of their own.
const MOST: u64 = 1024 * MIB;

/// `shared_buffers`, in bytes: an eighth of the memory there is, since the cluster shares it with Regrant and others.
/// It is taken as it is used. With less than the lists of a hundred thousand connections touch, each of them writes
/// other pages out to read its own.
pub fn shared_buffers() -> u64 {
    let machine = read(Path::new("/proc/meminfo")).and_then(|text| total(&text));
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let given = limits(&groups).filter_map(|file| read(&file)?.trim().parse().ok());
    share(machine.into_iter().chain(given))
}

fn read(file: &Path) -> Option<String> {
    fs::read_to_string(file).ok()
}

fn share(limits: impl Iterator<Item = u64>) -> u64 {
    (limits.min().unwrap_or_default() / 8).clamp(LEAST, MOST) / MIB * MIB
}

/// The machine's memory, as Linux tells it.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Where the limits of a container or a unit stand: of its control group, and of each that this one is in. `groups`:
/// what `/proc/self/cgroup` holds.
fn limits(groups: &str) -> impl Iterator<Item = PathBuf> {
    groups.lines().flat_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, group) =
            (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let place = match controllers {
            "" => Some(("/sys/fs/cgroup", "memory.max")),
            first if first.split(',').any(|name| name == "memory") => {
                Some(("/sys/fs/cgroup/memory", "memory.limit_in_bytes"))
            }
            _ => None,
        };
        let group = Path::new(group.trim_start_matches('/'));
        place.into_iter().flat_map(move |(root, file)| {
            group.ancestors().map(move |group| Path::new(root).join(group).join(file))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_eighth_of_what_there_is_within_bounds() {
        let gib = 1024 * MIB;
        for (limits, share_in_mib) in [
            (vec![4 * gib], 512),
            (vec![24 * gib, 2 * gib, 16 * gib], 256),
            (vec![64 * gib], 1024),
            (vec![512 * MIB], 128),
            // A group without a limit, in the first kind of groups.
            (vec![16 * gib, 9_223_372_036_854_771_712], 1024),
            (vec![], 128),
        ] {
            assert_eq!(share(limits.iter().copied()), share_in_mib * MIB, "{limits:?}");
        }
    }

    #[test]
    fn the_memory_of_a_machine_is_read() {
        let text = "MemTotal:       24731708 kB\nMemFree:          500000 kB\n";
        assert_eq!(total(text), Some(24_731_708 * 1024));
        assert_eq!(total("max\n"), None);
    }

    #[test]
    fn limits_stand_in_each_group_around() {
        let told = |groups: &str| {
            limits(groups).map(|file| file.to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(
            told("0::/system.slice/regrant.service\n"),
            [
                "/sys/fs/cgroup/system.slice/regrant.service/memory.max",
                "/sys/fs/cgroup/system.slice/memory.max",
                "/sys/fs/cgroup/memory.max"
            ]
        );
        assert_eq!(told("0::/\n"), ["/sys/fs/cgroup/memory.max"]);
        assert_eq!(
            told("5:cpu,cpuacct:/a\n4:memory:/docker\n"),
            [
                "/sys/fs/cgroup/memory/docker/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes"
            ]
        );
    }
}

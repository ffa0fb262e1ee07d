//! How much of the database PostgreSQL may keep in memory.

use std::fs;

const MIB: u64 = 1024 * 1024;
/// What PostgreSQL takes by itself.
const LEAST: u64 = 128 * MIB;
/// A million connections and their history are no faster with more.
const MOST: u64 = 1024 * MIB;

/// `shared_buffers`, in bytes: an eighth of the memory there is, since the cluster shares it with Regrant and others.
/// It is taken as it is used. With less than the lists of a hundred thousand connections touch, each of them writes
/// other pages out to read its own.
pub fn shared_buffers() -> u64 {
    share(&[
        fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text)),
        // What a container is given.
        fs::read_to_string("/sys/fs/cgroup/memory.max")
            .ok()
            .and_then(|text| text.trim().parse().ok()),
    ])
}

fn share(limits: &[Option<u64>]) -> u64 {
    let there_is = limits.iter().flatten().copied().min().unwrap_or_default();
    (there_is / 8).clamp(LEAST, MOST) / MIB * MIB
}

/// The machine's memory, as Linux tells it.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_eighth_of_what_there_is_within_bounds() {
        let gib = 1024 * MIB;
        for (limits, share_in_mib) in [
            (vec![Some(4 * gib), None], 512),
            (vec![Some(24 * gib), Some(2 * gib)], 256),
            (vec![Some(64 * gib), None], 1024),
            (vec![Some(512 * MIB), None], 128),
            (vec![None, None], 128),
        ] {
            assert_eq!(share(&limits), share_in_mib * MIB, "{limits:?}");
        }
    }

    #[test]
    fn the_memory_of_a_machine_is_read() {
        let text = "MemTotal:       24731708 kB\nMemFree:          500000 kB\n";
        assert_eq!(total(text), Some(24_731_708 * 1024));
        assert_eq!(total("max\n"), None);
    }
}

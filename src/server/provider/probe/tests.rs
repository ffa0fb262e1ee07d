//! What a call costs besides the network. `make bench-provider` holds the limits in an optimised build: 20 µs to
//! build a request or to read an answer, 100 ms to load 1,000 profiles. Here an unoptimised build keeps them
//! fifty-fold: loose enough for any machine, and tight enough that nothing is compiled, parsed or copied anew for
//! each call without somebody noticing. What counts is the processor's time of this thread, at its least.

use std::{fs, hint::black_box, path::Path, time::Duration};

use nix::time::{ClockId, clock_gettime};

use super::{Case, Error};
use crate::server::provider::Catalog;

const SLACK: u32 = 50;
const CALL: Duration = Duration::from_micros(20);
/// Of one profile.
const LOAD: Duration = Duration::from_micros(100);

fn cost(runs: usize, mut work: impl FnMut()) -> Duration {
    let clock = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
    let times = (0..runs).map(|_| {
        let begun = clock();
        work();
        clock() - begun
    });
    times.min().unwrap_or_default()
}

#[test]
fn building_a_request_and_reading_an_answer_cost_little() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/provider/golden");
    let mut most = [("", Duration::ZERO); 3];
    let catalog = Catalog::load(None).unwrap();
    for profile in catalog.iter() {
        let golden = fs::read_to_string(folder.join(format!("{}.txt", profile.slug))).unwrap();
        let case = Case::new(profile.clone(), &golden).unwrap();
        let mut note = |kind: usize, took: Duration| {
            if took > most[kind].1 {
                most[kind] = (&profile.slug, took);
            }
        };
        for (kind, refresh) in [(0, false), (1, true)] {
            if matches!(case.build(refresh), Err(Error::NoEndpoint(_))) {
                continue;
            }
            note(kind, cost(20, || _ = black_box(black_box(&case).build(refresh).unwrap())));
        }
        let asked = case.ask(true).or_else(|_| case.ask(false)).unwrap();
        let headers: [(&[u8], &[u8]); 1] = [(b"content-type", b"application/json")];
        let read = || drop(black_box(case.read(&asked, 200, &headers, &case.sample).unwrap()));
        note(2, cost(20, read));
    }
    assert!(most.iter().all(|(_, took)| *took < CALL * SLACK), "{most:?}");
}

#[test]
fn loading_profiles_costs_little() {
    let count = u32::try_from(Catalog::load(None).unwrap().iter().count()).unwrap();
    let took = cost(5, || drop(black_box(Catalog::load(None).unwrap()))) / count;
    assert!(took < LOAD * SLACK, "{took:?} each");
}

//! Many worlds, each from its seed.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use super::{
    executor::run,
    faults::{Counts, Fault},
    oracle::Violation,
    world::{Broken, State, World},
};

/// How many worlds `make test` goes through.
const WORLDS: u64 = 10_000;
/// The seed of the first one; `REGRANT_SEED` names the only one, `REGRANT_SEEDS` how many.
const FIRST: u64 = 0;

/// What one world came to.
pub struct Played {
    pub violation: Option<Violation>,
    /// What happened last to the connection concerned.
    pub trace: String,
    faults: Counts,
    places: Vec<&'static str>,
    deaths: BTreeMap<&'static str, u64>,
    refreshed: u64,
    requests: u64,
    deadlocks: u64,
    polls: u64,
}

/// Plays a world from its beginning to its end.
pub fn play(seed: u64, broken: Broken) -> Played {
    let world = World::new(seed, broken);
    world.populate();
    run(&world);
    let mut state = world.state();
    state.check_at_rest();
    let played = Played {
        violation: state.oracle.violation.clone(),
        trace: trace(&state),
        faults: state.faults,
        places: std::mem::take(&mut state.places),
        deaths: std::mem::take(&mut state.oracle.deaths),
        refreshed: state.oracle.refreshed,
        requests: state.provider.requests.len() as u64,
        deadlocks: state.deadlocks,
        polls: state.schedule.polls,
    };
    // Processes hold the world that holds them.
    for replica in &mut state.replicas {
        replica.process = None;
    }
    played
}

fn trace(state: &State) -> String {
    let Some(violation) = &state.oracle.violation else { return String::new() };
    let all = std::env::var_os("REGRANT_TRACE").is_some();
    let concerned = |entry: &&super::history::Entry| {
        all || entry.connection.is_none_or(|connection| connection == violation.connection)
    };
    let last: Vec<_> = state.history.iter().filter(concerned).collect();
    let mut text = String::new();
    for entry in last.iter().skip(last.len().saturating_sub(60)) {
        let _ = writeln!(text, "{:?} {entry}", entry.connection);
    }
    text
}

/// What many worlds came to.
#[derive(Default)]
struct Sum {
    faults: Counts,
    places: BTreeMap<&'static str, u64>,
    deaths: BTreeMap<&'static str, u64>,
    refreshed: u64,
    requests: u64,
    deadlocks: u64,
    polls: u64,
}

impl Sum {
    fn add(&mut self, played: Played) {
        self.faults.add(&played.faults);
        for place in played.places {
            *self.places.entry(place).or_default() += 1;
        }
        for (why, count) in played.deaths {
            *self.deaths.entry(why).or_default() += count;
        }
        self.refreshed += played.refreshed;
        self.requests += played.requests;
        self.deadlocks += played.deadlocks;
        self.polls += played.polls;
    }
}

/// Plays worlds on all processors until one goes wrong.
fn play_all(first: u64, count: u64) -> Result<Sum, (u64, Box<Played>)> {
    let (next, is_over) = (AtomicU64::new(first), AtomicBool::new(false));
    let (sum, wrong) = (Mutex::new(Sum::default()), Mutex::new(None));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut mine = Sum::default();
                while !is_over.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        break;
                    }
                    let played = play(seed, Broken::Nothing);
                    if played.violation.is_some() {
                        is_over.store(true, Ordering::Relaxed);
                        wrong.lock().unwrap().get_or_insert((seed, Box::new(played)));
                        break;
                    }
                    mine.add(played);
                }
                let mut sum = sum.lock().unwrap();
                sum.faults.add(&mine.faults);
                for (place, count) in mine.places {
                    *sum.places.entry(place).or_default() += count;
                }
                for (why, count) in mine.deaths {
                    *sum.deaths.entry(why).or_default() += count;
                }
                sum.refreshed += mine.refreshed;
                sum.requests += mine.requests;
                sum.deadlocks += mine.deadlocks;
                sum.polls += mine.polls;
            });
        }
    });
    match wrong.into_inner().unwrap() {
        Some(wrong) => Err(wrong),
        None => Ok(sum.into_inner().unwrap()),
    }
}

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn no_world_breaks_the_contract() {
    let (first, count) = match asked("REGRANT_SEED") {
        Some(seed) => (seed, 1),
        None => (FIRST, asked("REGRANT_SEEDS").unwrap_or(WORLDS)),
    };
    let sum = match play_all(first, count) {
        Ok(sum) => sum,
        Err((seed, played)) => panic!(
            "{:?}\n\nREGRANT_SEED={seed} cargo xtask test -E 'test(simulation)'\n\n{}",
            played.violation, played.trace
        ),
    };
    for fault in Fault::ALL {
        println!("{fault:?}: {}", sum.faults.0[*fault as usize]);
    }
    println!("{:#?} {:#?}", sum.places, sum.deaths);
    println!(
        "{} requests, {} refreshed, {} deadlocks, {} polls",
        sum.requests, sum.refreshed, sum.deadlocks, sum.polls
    );
    if count < WORLDS {
        return;
    }
    for fault in Fault::ALL {
        assert!(sum.faults.0[*fault as usize] > 0, "{fault:?} never struck");
    }
}

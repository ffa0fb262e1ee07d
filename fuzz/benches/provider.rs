//! What each preset costs: building the two requests that redeem something, reading a documented
//! answer; and what loading a thousand profiles costs. Fails when a limit is passed.
//!
//! Others may be at work on the machine, so each figure is taken many times over short stretches:
//! the minimum is what the code costs, the median decides.

#![allow(clippy::disallowed_methods, reason = "a benchmark asks the clock")]

use std::{
    fs,
    hint::black_box,
    process::ExitCode,
    time::{Duration, Instant},
};

use rooms::{
    cases,
    server::provider::{Catalog, Error},
};

const CALL_LIMIT: Duration = Duration::from_micros(20);
const LOAD_LIMIT: Duration = Duration::from_millis(100);
const PROFILES: usize = 1000;

const STRETCHES: usize = 60;
const CALLS: u32 = 50;

struct Figure {
    name: String,
    minimum: Duration,
    median: Duration,
}

fn figure(name: String, stretches: usize, calls: u32, mut work: impl FnMut()) -> Figure {
    work();
    let mut times: Vec<Duration> = (0..stretches)
        .map(|_| {
            let begun = Instant::now();
            (0..calls).for_each(|_| work());
            begun.elapsed() / calls
        })
        .collect();
    times.sort_unstable();
    Figure { name, minimum: times[0], median: times[stretches / 2] }
}

/// Prints what the presets need for one kind of work; says whether all keep the limit.
fn report(title: &str, mut figures: Vec<Figure>) -> bool {
    figures.sort_by_key(|figure| figure.median);
    let (Some(first), Some(last)) = (figures.first(), figures.last()) else { return false };
    let middle = &figures[figures.len() / 2];
    println!(
        "{title:<17} {:>3} presets   min {:>8.2?} {:<18} median {:>8.2?}   max {:>8.2?} {:<18} (its minimum {:.2?})",
        figures.len(),
        first.median,
        first.name,
        middle.median,
        last.median,
        last.name,
        last.minimum,
    );
    let slow: Vec<_> = figures.iter().filter(|figure| figure.median > CALL_LIMIT).collect();
    for figure in &slow {
        println!("    over {CALL_LIMIT:?}: {} {:.2?}", figure.name, figure.median);
    }
    slow.is_empty()
}

fn main() -> ExitCode {
    let cases = cases();
    let mut kept = true;
    for (title, refresh) in [("building exchange", false), ("building refresh", true)] {
        let figures = cases.iter().filter_map(|case| match case.build(refresh) {
            Ok(_) => Some(figure(case.profile.slug.clone(), STRETCHES, CALLS, || {
                black_box(black_box(case).build(refresh)).ok();
            })),
            // Its connections are imported.
            Err(Error::NoEndpoint(_)) => None,
            Err(error) => panic!("{}: {error}", case.profile.slug),
        });
        kept &= report(title, figures.collect());
    }
    let figures = cases.iter().map(|case| {
        let asked = case.ask(true).or_else(|_| case.ask(false));
        let asked = asked.unwrap_or_else(|error| panic!("{}: {error}", case.profile.slug));
        let headers: [(&[u8], &[u8]); 1] = [(b"content-type", b"application/json")];
        let read = || case.read(&asked, 200, &headers, &case.sample);
        assert!(read().is_ok(), "{}", case.profile.slug);
        figure(case.profile.slug.clone(), STRETCHES, CALLS, || {
            black_box(read()).ok();
        })
    });
    kept &= report("reading an answer", figures.collect());
    kept &= loading();
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Presets under other slugs, in a folder, as an operator would add them.
fn loading() -> bool {
    let folder = std::env::temp_dir().join(format!("regrant-profiles-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let presets = concat!(env!("CARGO_MANIFEST_DIR"), "/../src/server/provider/catalog");
    let texts: Vec<String> = fs::read_dir(presets)
        .expect("presets")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| fs::read_to_string(path).expect("a preset"))
        .collect();
    let embedded = Catalog::load(None).expect("presets").iter().count();
    for (nth, text) in texts.iter().cycle().take(PROFILES - embedded).enumerate() {
        let slugged = |line: &str| line.starts_with("slug = ").then(|| format!("slug = \"p-{nth}\""));
        let text: Vec<String> =
            text.lines().map(|line| slugged(line).unwrap_or_else(|| line.to_owned())).collect();
        fs::write(folder.join(format!("p-{nth}.toml")), text.join("\n")).expect("a file");
    }
    let load = || Catalog::load(Some(&folder)).expect("profiles");
    assert_eq!(load().iter().count(), PROFILES);
    let figure = figure("loading".into(), 9, 1, || drop(black_box(load())));
    fs::remove_dir_all(&folder).expect("the folder");
    println!(
        "loading {PROFILES} profiles   min {:.1?}   median {:.1?}",
        figure.minimum, figure.median
    );
    figure.median <= LOAD_LIMIT
}

//! Everything that is tested, in one run: formatting, lints of both builds, Rust tests, browser
//! tests, and the torture of real processes in its short form. A step that fails does not keep the later ones from being looked at.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result, bail, ensure};

use crate::closing_line::{self, Count};
use crate::steps::step;
use crate::{database, process, torture};

pub fn run() -> Result<ExitCode> {
    let mut count = Count::default();
    let mut failed: Vec<&str> = Vec::new();
    let mut keep = |name: &'static str, work: &mut dyn FnMut() -> Result<()>| {
        if let Err(error) = step(name, work) {
            eprintln!("    {error:#}");
            failed.push(name);
            return false;
        }
        true
    };

    // What the browser loads is built beside what serves it: each leaves a core idle for minutes.
    let beside = thread::spawn(browser_half);
    keep("Formatting", &mut || process::check(process::cargo().args(["fmt", "--all", "--check"])));
    keep("Lints of the server", &mut || {
        process::check(&mut lint(&["--all-targets"]))?;
        process::check(&mut lint(&[
            "--package",
            "xtask",
            "--bin",
            "xtask",
            "--test",
            "closing_line",
        ]))
    });
    let mut built = keep("Building the server and its tests", &mut || {
        process::check(database::build_rust_tests().args(TESTED))
    });
    if !built {
        // A test that does not compile is no reason not to look at the server.
        built = keep("Building the server alone", &mut || torture::build());
    }
    let beside = beside.join().unwrap_or_else(|_| vec![(SITE, false)]);
    built &= beside.contains(&(SITE, true));

    keep("Rust tests", &mut || {
        database::with_throwaway(|url| {
            counted(database::rust_tests(url, &[]).args(TESTED), &mut count)?;
            Ok(ExitCode::SUCCESS)
        })?;
        let mut own = process::cargo();
        counted(own.args(["test", "--quiet", "--package", "xtask"]), &mut count)
    });
    keep("The torture's judge", &mut || counted(&mut torture::judge_tests(), &mut count));
    if built {
        keep("Browser tests", &mut || {
            let mut playwright = process::command("npx");
            playwright.args(["--no-install", "playwright", "test", "--pass-with-no-tests"]);
            playwright.current_dir(process::root().join("end2end"));
            counted(&mut playwright, &mut count)
        });
        if torture::can_move_clocks() {
            keep("Torture, shortened", &mut || counted(&mut torture::run(&[]), &mut count));
        } else {
            eprintln!("==> Torture, shortened: left out, since libfaketime is not installed");
            count.skipped += 1;
        }
    } else {
        eprintln!("==> Browser tests and torture: left out, since what they run is not built");
        count.skipped += 2;
    }

    failed.extend(beside.iter().filter(|(_, done)| !done).map(|(name, _)| *name));
    if !failed.is_empty() {
        eprintln!("\nFailed: {}", failed.join("; "));
        // A step can fail without a test, and the sum must not look like a success.
        count.failed = count.failed.max(1);
    }
    eprintln!();
    println!("tests: {} passed, {} failed, {} skipped", count.passed, count.failed, count.skipped);
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The tests are built with the points at which the torture kills, as the program is.
const TESTED: [&str; 2] = ["--features", torture::FEATURE];

const SITE: &str = "Building the site";

/// Lints and builds what shares no folder with the server; which steps there were, and whether they were done.
fn browser_half() -> Vec<(&'static str, bool)> {
    let mut lints = lint(&[
        "--lib",
        "--target=wasm32-unknown-unknown",
        "--no-default-features",
        "--features=hydrate",
        "--target-dir=target/front",
    ]);
    // Not by cargo, which would wait for the server's folder.
    let mut site = process::command(&own_path());
    site.args(["site", "--release"]);
    // A workspace of its own, with its own list of crates: nothing else would tell that it does not build.
    let mut fuzzer = lint(&[
        "--locked",
        "--manifest-path=fuzz/Cargo.toml",
        "--lib",
        "--bins",
        "--bench=provider",
        "--target-dir=target/fuzz",
    ]);
    [
        ("Lints of the browser half", &mut lints),
        (SITE, &mut site),
        ("Lints of the fuzzer", &mut fuzzer),
    ]
    .into_iter()
    .map(|(name, command)| (name, told_at_once(name, command)))
    .collect()
}

/// Does a step while others tell what they do, and tells all of it when it is over.
fn told_at_once(name: &'static str, command: &mut Command) -> bool {
    let done = step(name, || {
        let output = command.stdin(Stdio::null()).output()?;
        std::io::stderr().write_all(&[output.stdout, output.stderr].concat())?;
        ensure!(output.status.success(), "it ended with {}", output.status);
        Ok(())
    });
    if let Err(error) = &done {
        eprintln!("    {name}: {error:#}");
    }
    done.is_ok()
}

fn own_path() -> String {
    std::env::current_exe().map_or_else(|_| "xtask".into(), |path| path.display().to_string())
}

fn lint(args: &[&str]) -> Command {
    let mut cargo = process::cargo();
    cargo.arg("clippy").args(args).args(["--", "-D", "warnings"]);
    cargo
}

/// Runs a test runner, shows what it prints, and adds what its closing lines count.
fn counted(command: &mut Command, count: &mut Count) -> Result<()> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| command.get_program().display().to_string())?;
    let (lines, printed) = mpsc::channel();
    let readers: Vec<_> = [
        child.stdout.take().map(|out| Box::new(out) as Box<dyn Read + Send>),
        child.stderr.take().map(|err| Box::new(err) as Box<dyn Read + Send>),
    ]
    .into_iter()
    .flatten()
    .map(|stream| {
        let lines = lines.clone();
        thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while stream.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                let _ = lines.send(String::from_utf8_lossy(&line).into_owned());
                line.clear();
            }
        })
    })
    .collect();
    drop(lines);
    let mut out = std::io::stdout();
    for line in printed {
        *count += closing_line::count(&line);
        out.write_all(line.as_bytes())?;
    }
    out.flush()?;
    for reader in readers {
        let _ = reader.join();
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("{} ended with {status}", command.get_program().display());
    }
    Ok(())
}

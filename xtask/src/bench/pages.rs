//! How long pages take with a full house behind them: a demo with as many connections as
//! `regrant demo --size` makes, its worker at work, and ten people who never pause.

use std::fmt::Write;

use anyhow::{Context, Result};

use super::ground::{Database, Ground};
use super::load::Load;
use super::processor;
use super::program::{self, Server};
use super::ratio::{self, Aim, Line, Series};
use super::weight;

const PEOPLE: usize = 10;
/// How many connections are looked at in detail.
const LOOKED_AT: usize = 500;
/// Of how many addresses of a kind it is told by themselves.
const TOLD: usize = 3;

pub fn measure(ground: &Ground) -> Result<Vec<Line>> {
    let size = ground.effort.stored[1];
    let database = ground.database("pages")?;
    let (server, password) = Server::demo(ground, &database, size)?;
    database.settle()?;
    let cookie = program::sign_in(server.address, "admin@example.com", &password)?;
    let mut lines = Vec::new();
    let kinds = kinds(&database)?;
    let first = |paths: &str| paths.lines().next().unwrap_or_default().to_owned();
    let pages: Vec<_> = kinds.iter().map(|(name, paths)| (*name, first(paths))).collect();
    lines.extend(weight::lines(server.address, &cookie, &pages)?);
    for (name, paths) in kinds {
        let (mut medians, mut tails) = (Series::default(), Series::default());
        let mut slowest = Vec::new();
        for _ in 0..ground.effort.rounds {
            let load = Load {
                address: server.address,
                header: &format!("cookie: {cookie}"),
                connections: PEOPLE,
                holds: "</html>",
                paths: &paths,
                slowest: if paths.contains('\n') { TOLD } else { 0 },
            };
            let heard = load.run(ground, &database)?;
            medians.push(heard.median / 1000.0);
            tails.push(heard.tail / 1000.0);
            slowest = heard.slowest;
        }
        let line = |what: String, product, aim| Line {
            what,
            product,
            yardstick: None,
            aim: Aim::AtMost(aim),
        };
        lines.push(line(
            format!("milliseconds of {name}, {PEOPLE} people, {size} connections, median"),
            medians,
            50.0,
        ));
        let mut tail = "the same, within which 99 of 100 are there".to_owned();
        for (median, within, path) in slowest {
            let cost = processor::milliseconds(&server, &database, &cookie, &path)?;
            let [median, within, cost] = [median / 1000.0, within / 1000.0, cost].map(ratio::short);
            write!(tail, "\n        {median} / {within}, of the processors alone {cost}   {path}")?;
        }
        lines.push(line(tail, tails, 150.0));
    }
    server.stop()?;
    Ok(lines)
}

/// The kinds of pages, each with addresses, one a line.
fn kinds(database: &Database) -> Result<Vec<(&'static str, String)>> {
    let client = database.sql("SELECT id FROM clients ORDER BY id LIMIT 1")?;
    let label = database
        .sql("SELECT split_part(label, ',', 1) FROM connections ORDER BY id DESC LIMIT 1")?;
    let word = label.split_whitespace().next_back().context("a label without a word")?;
    let ids = database.sql(&format!(
        "SELECT '/connections/' || id FROM connections ORDER BY md5(id::text) LIMIT {LOOKED_AT}"
    ))?;
    let tomorrow = database.sql("SELECT (now() + interval '1 day')::date")?;
    let list = |query: &str| format!("/connections?{query}");
    Ok(vec![
        ("the overview", "/".to_owned()),
        (
            "the list in each order",
            ["newest", "needs_human_by", "expires", "refreshed", "label"]
                .map(|sort| list(&format!("sort={sort}")))
                .join("\n"),
        ),
        (
            "the list by state or client",
            ["active", "retrying", "needs_reauth", "disconnected"]
                .map(|state| list(&format!("state={state}")))
                .into_iter()
                .chain([
                    list(&format!("client={client}")),
                    list(&format!("client={client}&state=active&sort=label")),
                ])
                .collect::<Vec<_>>()
                .join("\n"),
        ),
        (
            "the list by provider, tag, account or time",
            [
                "provider=sample-zoom&sort=expires".to_owned(),
                "tag=oslo&sort=refreshed".to_owned(),
                "owner=harbour&sort=label".to_owned(),
                format!("expires_before={tomorrow}&state=active&sort=needs_human_by"),
                format!("needs_human_before={tomorrow}&sort=label"),
            ]
            .map(|query| list(&query))
            .join("\n"),
        ),
        (
            "the list searched",
            [word.to_owned(), "crm-0012".to_owned(), "nobody-has-this".to_owned(), "zq".to_owned()]
                .map(|text| list(&format!("q={text}&sort=label")))
                .join("\n"),
        ),
        ("a connection", ids),
    ])
}

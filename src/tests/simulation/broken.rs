//! Engines that are broken on purpose: the oracle that finds nothing wrong with the real one finds these
//! within a few worlds.

use super::{world::Broken, worlds::play};

/// How many worlds a broken engine may get through.
const PATIENCE: u64 = 1000;

fn is_caught(broken: Broken, rules: &[&str]) {
    let caught = (0..PATIENCE).find_map(|seed| play(seed, broken).violation);
    let caught =
        caught.unwrap_or_else(|| panic!("{broken:?} was not noticed in {PATIENCE} worlds"));
    assert!(rules.contains(&caught.rule), "{broken:?} was caught for {caught:?}");
}

#[test]
fn an_engine_without_fences_is_caught() {
    is_caught(Broken::NoFence, &["I2", "I4", "I7"]);
}

#[test]
fn an_engine_without_leases_is_caught() {
    is_caught(Broken::NoLease, &["I1", "I8"]);
}

#[test]
fn an_engine_without_a_journal_is_caught() {
    is_caught(Broken::NoJournal, &["I3", "I4"]);
}

#[test]
fn an_engine_that_forgets_to_replay_is_caught() {
    is_caught(Broken::ForgetfulReplay, &["I3", "I4"]);
}

#[test]
fn an_engine_that_waits_for_no_answers_is_caught() {
    is_caught(Broken::NoPatience, &["I1", "I2", "I4"]);
}

#[test]
fn an_engine_whose_leases_are_too_short_is_caught() {
    is_caught(Broken::ShortLease, &["I1", "I8"]);
}

#[test]
fn an_engine_that_condemns_amid_an_incident_is_caught() {
    is_caught(Broken::CondemnsAmid, &["I10"]);
}

#[test]
fn an_engine_that_tells_each_refusal_as_an_incident_is_caught() {
    is_caught(Broken::TellsEach, &["I10"]);
}

#[test]
fn an_engine_that_sees_no_incidents_is_caught() {
    is_caught(Broken::NeverAlarmed, &["I11"]);
}

#[test]
fn an_engine_that_gives_nobody_back_is_caught() {
    is_caught(Broken::HoldsNobody, &["I11"]);
}

#[test]
fn an_engine_that_sends_no_canaries_is_caught() {
    is_caught(Broken::NoCanary, &["I11"]);
}

#[test]
fn an_engine_that_trusts_leases_after_a_jump_is_caught() {
    is_caught(Broken::TrustsClocks, &["I1", "I2", "I4", "I8"]);
}

#[test]
fn an_engine_that_heeds_late_refusals_is_caught() {
    is_caught(Broken::LateRefusals, &["I1", "I2", "I4", "I6", "I9"]);
}

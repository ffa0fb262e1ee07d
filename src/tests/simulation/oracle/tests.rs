//! The oracle is shown what no engine does, and says so.

use super::PAUSE_SHADOW;
use crate::{
    domain::{
        attempt::Verdict,
        connection::{Reason, StateName},
        refusal::ErrorClass,
    },
    tests::simulation::{
        executor::{HOUR, run},
        faults::{Fault, Rates},
        provider::{self, Excuse, Said, refusal},
        store::{Attempt, Changes},
        world::{Broken, State, World},
    },
};

/// A world in which nothing went wrong, at its end.
fn calm() -> World {
    let world = World::new(1, Broken::Nothing);
    {
        let mut state = world.state();
        state.rates = Rates::with(&mut state.dice.clone(), 0.0);
    }
    world.populate();
    run(&world);
    let mut state = world.state();
    assert!(Fault::ALL.iter().all(|fault| state.faults.0[*fault as usize] == 0));
    state.check_at_rest();
    assert!(state.oracle.violation.is_none());
    // Processes hold the world that holds them.
    for replica in &mut state.replicas {
        replica.process = None;
    }
    drop(state);
    world
}

fn rule(state: &State) -> Option<&'static str> {
    state.oracle.violation.as_ref().map(|violation| violation.rule)
}

#[test]
fn a_clock_that_was_set_back_excuses_no_old_token() {
    let world = calm();
    let mut state = world.state();
    let old = {
        let tokens = &state.provider.tokens;
        (0..tokens.len()).find(|token| tokens[*token].replaced.is_some()).expect("a used token")
    };
    let id = state.connections[state.provider.tokens[old].connection];
    state.jump_by(-HOUR);
    state.check_at_rest();
    assert_eq!(rule(&state), None);
    let mut set = state.db.tables.sets[&id].clone();
    set.sealed_refresh_token = Some(provider::name(old).into_bytes());
    state.db.tables.sets.insert(id, set);
    state.check_at_rest();
    assert_eq!(rule(&state), Some("I3"));
}

#[test]
fn a_clock_that_was_set_back_excuses_nothing_that_came_after() {
    for (is_after, caught) in [(false, None), (true, Some("I9"))] {
        let world = calm();
        let mut state = world.state();
        let id = state.connections[0];
        assert_eq!(state.db.tables.connections[&id].state, StateName::Active);
        state.jump_by(-HOUR);
        state.withdraw(0);
        let jumped_at = state.schedule.now;
        let written_at = if is_after { jumped_at + PAUSE_SHADOW + 1 } else { jumped_at };
        state.oracle.waits_since.insert(id, written_at);
        state.check_at_rest();
        assert_eq!(rule(&state), caught);
    }
}

#[test]
fn an_old_fault_does_not_explain_why_a_withdrawal_is_called_a_loss() {
    let world = calm();
    let mut state = world.state();
    let last = state.provider.requests.len() - 1;
    let connection = state.provider.requests[last].connection;
    let first = {
        let mut requests = state.provider.requests.iter();
        requests.position(|request| request.connection == connection).expect("a request")
    };
    assert!(first < last);
    state.excuse(first, Excuse::Paused);
    state.withdraw(connection);
    state.provider.requests[last].received =
        Some(Said::Refused(refusal(ErrorClass::GrantRefused, Some(400))));
    let attempt_id = state.provider.requests[last].attempt_id;
    let mut attempt = state.db.tables.attempts[&attempt_id].clone();
    let mut row = state.db.tables.connections[&attempt.connection_id].clone();
    row.generation = attempt.generation_before;
    row.state = StateName::NeedsReauth;
    // The row of an attempt has no verdict before its outcome is stored.
    attempt.verdict = None;
    state.db.tables.attempts.insert(attempt_id, attempt.clone());
    attempt.verdict = Some(Verdict::Condemned);
    let mut changes = Changes::default();
    changes.attempts.insert(attempt_id, Some(attempt));
    row.reason = Some(Reason::Revoked);
    state.check_death(connection, &changes, &row);
    assert_eq!(rule(&state), None);
    row.reason = Some(Reason::RotationLost);
    // With the token set that is held, an answer was lost indeed.
    let before = state.provider.requests[first].attempt_id;
    let lost = state.db.tables.attempts[&before].clone();
    let again = Attempt { generation_before: row.generation, ..lost.clone() };
    state.db.tables.attempts.insert(before, again);
    state.oracle.doubted.insert(before);
    state.check_death(connection, &changes, &row);
    assert_eq!(rule(&state), None);
    state.db.tables.attempts.insert(before, lost);
    state.check_death(connection, &changes, &row);
    assert_eq!(rule(&state), Some("I4"));
}

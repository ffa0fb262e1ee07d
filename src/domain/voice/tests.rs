use std::collections::BTreeMap;

use time::{Duration, OffsetDateTime, macros::datetime};
use uuid::Uuid;

use super::*;
use crate::domain::{
    access::{Role, Scope},
    attempt::{Attempt, Trigger, Verdict},
    campaign::StageCount,
    check::{CredentialCheck, Doubt, Finding, Said, Way},
    client,
    connection::{Connection, GrantType, Reason, Standing, State, StateName, Told},
    lifeline::{Life, MarkKind, SegmentKind, draw},
    lineage::Consent,
    overview::{AttemptBucket, Cause, Ending, NeedsHumanGroup, Scale},
    provider::{AccessTokens, Lifetimes, RefreshLifetime},
    refusal::ErrorClass,
    relink::{Ended, Outcome, Relink, RelinkShow, Stage},
    token_reader::ReaderKind,
    user::User,
};

const AS_OF: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

fn connection(state: State) -> Connection {
    Connection {
        id: Uuid::nil(),
        client_id: Uuid::nil(),
        client_name: "Accounting".into(),
        client_state: client::StateName::Ready,
        client_paused_until: None,
        provider: "cronofy".into(),
        label: String::new(),
        external_id: None,
        tags: Vec::new(),
        variables: BTreeMap::new(),
        account_id: Some("acc_1".into()),
        account_label: Some("alice@example.com".into()),
        grant_type: GrantType::AuthorizationCode,
        state,
        generation: 3,
        scopes_requested: Vec::new(),
        scopes_granted: Vec::new(),
        has_refresh_token: true,
        obtained_at: Some(AS_OF - Duration::hours(1)),
        access_expires_at: Some(AS_OF + Duration::hours(1)),
        refresh_expires_at: None,
        due_at: Some(AS_OF + Duration::minutes(50)),
        paused_at: None,
        needs_human_by: None,
        last_error: None,
        created_at: AS_OF - Duration::days(9),
        updated_at: AS_OF,
    }
}

/// A connection whose client asks for some scopes and which was given others.
fn granted_of(asked: &str, granted: &str) -> Connection {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect();
    Connection {
        scopes_requested: words(asked),
        scopes_granted: words(granted),
        ..connection(State::Active)
    }
}

/// A try of so many hours ago, whose answer was lost.
fn unheard(hours: i64) -> Attempt {
    Attempt {
        id: Uuid::nil(),
        connection_id: Uuid::nil(),
        trigger: Trigger::Schedule,
        started_at: AS_OF - Duration::hours(hours),
        finished_at: None,
        verdict: Some(Verdict::InDoubt),
        error_class: Some(ErrorClass::AnswerLost),
        status: None,
        error_code: None,
        error_description: None,
        generation_before: 3,
        generation_after: None,
        fingerprint_before: None,
        fingerprint_after: None,
        replica: "first".into(),
    }
}

fn states() -> Vec<State> {
    let mut states = vec![
        State::Pending,
        State::Active,
        State::InDoubt { attempt_id: Uuid::nil() },
        State::Disconnected,
    ];
    states.extend(ErrorClass::ALL.map(|last_error| State::Retrying {
        attempts: 2,
        next_at: AS_OF + Duration::minutes(3),
        last_error,
    }));
    states.extend(
        Reason::ALL.map(|reason| State::NeedsReauth { reason, since: AS_OF - Duration::hours(2) }),
    );
    states
}

/// All that a check of credentials can find.
fn checks() -> Vec<CredentialCheck> {
    let of = |finding, doubt, with_secret| CredentialCheck {
        finding,
        with_secret,
        way: None,
        doubt,
        said: None,
        checked_at: AS_OF,
    };
    let clear = [Finding::Accepted, Finding::Refused];
    let clear = clear.into_iter().flat_map(|one| [of(one, None, true), of(one, None, false)]);
    clear.chain(Doubt::ALL.map(|doubt| of(Finding::Unknown, Some(doubt), true))).collect()
}

/// What can be said of a connection.
fn say_all(one: &Connection, said: &mut Vec<String>) {
    for tokens in [AccessTokens::Ending, AccessTokens::Endless] {
        said.push(headline(one, tokens, AS_OF));
        said.push(why(one, "Cronofy", tokens, AS_OF));
        said.push(in_short(one, tokens, AS_OF));
        said.push(no_moment(one, tokens).into());
    }
    said.push(lifeline(&Life::of(one, &[], AS_OF)));
    said.extend(no_relink(one));
}

/// Everything that can be said.
fn all() -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for state in states() {
        for client_state in client::StateName::ALL {
            for needs_human_by in [None, Some(AS_OF + Duration::days(2)), Some(AS_OF)] {
                for has_refresh_token in [true, false] {
                    let one = Connection {
                        client_state,
                        needs_human_by,
                        has_refresh_token,
                        ..connection(state.clone())
                    };
                    let until = AS_OF + Duration::hours(2);
                    let paused = Connection { client_paused_until: Some(until), ..one.clone() };
                    for one in [one, paused] {
                        say_all(&one, &mut said);
                        let imported = GrantType::Import;
                        let one = Connection { generation: 1, grant_type: imported, ..one };
                        say_all(&Connection { access_expires_at: None, ..one }, &mut said);
                    }
                }
            }
        }
    }
    let standings = [
        Standing::Alive,
        Standing::Soon,
        Standing::Retrying,
        Standing::NeedsPerson,
        Standing::ClientRefused,
        Standing::Paused,
        Standing::Pending,
        Standing::Disconnected,
    ];
    said.extend(standings.map(|standing| meaning(standing).into()));
    let aged = |refresh_kind, idle: Option<u64>| {
        let (refresh_seconds, refresh_idle_seconds) = (Some(60), idle);
        Lifetimes { refresh_kind, refresh_seconds, refresh_idle_seconds, ..Lifetimes::default() }
    };
    for kind in [RefreshLifetime::Sliding, RefreshLifetime::Fixed] {
        said.extend(ran_out(&aged(kind, None), "Cronofy"));
    }
    for granted in ["read", "read write", "write", "write admin", "admin users"] {
        said.extend(drift(&granted_of("read write", granted), "Cronofy"));
    }
    for (class, status) in [(None, None), (Some(ErrorClass::AnswerLost), None), (None, Some(502))] {
        let doubtful = connection(State::InDoubt { attempt_id: Uuid::nil() });
        let attempt = Attempt { error_class: class, status, ..unheard(1) };
        said.extend(lost(&doubtful, &[attempt], "Cronofy", AS_OF));
    }
    said.extend(StateName::ALL.map(|state| state_name(state).into()));
    said.extend(ErrorClass::ALL.map(|class| error_class(class, "Cronofy")));
    for ended in Verdict::ALL.map(Some).into_iter().chain([None]) {
        said.extend([verdict(ended).0.into(), verdict(ended).1.into()]);
    }
    let triggers = Trigger::ALL;
    said.extend(triggers.map(|each| trigger(each).into()));
    for state in client::StateName::ALL {
        said.extend([client_state(state).into(), client_state_word(state).into()]);
    }
    said.push(checking("Cronofy"));
    said.extend(client::StateName::ALL.into_iter().flat_map(|state| relink_refused(state, "A")));
    said.extend([first_consents(1), first_consents(2), client_paused(AS_OF)]);
    said.extend([unseen_ends(1), unseen_ends(2), UNKNOWN_ACCOUNT.into()]);
    said.extend([tokenless(1), tokenless(2)]);
    said.extend([resting(1), resting(2)]);
    for by_relink in [false, true] {
        let (at, by_import, fingerprint) = (AS_OF, false, None);
        let consent = Consent { generation: 2, at, by_relink, by_import, fingerprint };
        said.push(comes_by(&connection(State::Active), &[consent]));
        said.extend([1, 2].map(|generation| consented(generation, by_relink).into()));
    }
    said.extend([FIRST_CONSENT, END_PAUSE, PAUSED_CONNECTIONS, OTHER_SCOPES].map(str::to_owned));
    said.push(job_refused(&["A".into(), "B".into()]));
    said.extend(Way::ALL.map(|way| check_way(way).into()));
    for found in checks() {
        for state in client::StateName::ALL {
            let told = check(&found, "Cronofy", state);
            said.extend([told.title.into(), told.text]);
        }
    }
    for place in Empty::ALL {
        said.extend([empty(place).0.into(), empty(place).1.into()]);
    }
    let link = Relink {
        id: Uuid::nil(),
        connection_id: Uuid::nil(),
        created_by: "support@example.com".into(),
        created_at: AS_OF,
        expires_at: AS_OF + Duration::hours(72),
        opened_at: Some(AS_OF),
        left_at: None,
        returned_at: None,
        used_at: None,
        outcome: None,
        detail: None,
        ended: None,
    };
    for outcome in Outcome::ALL.map(Some).into_iter().chain([None]) {
        for ended in [None, Some(Ended::Replaced), Some(Ended::Revoked)] {
            let one = Relink { outcome, ended, ..link.clone() };
            for account in [None, Some("alice@example.com")] {
                let advice = relink(&one, account, "Cronofy", AS_OF);
                said.extend([advice.happened, advice.say.into()]);
            }
        }
    }
    said.extend(Stage::ALL.map(|stage| relink_word(stage).into()));
    said.extend(Stage::ALL.map(|stage| stage_count(&StageCount { stage, count: 2 })));
    for one in [Occasion::Drift, Occasion::Outage, Occasion::Secret] {
        said.extend([occasion(one), no_occasion(one), occasion_name(one)].map(String::from));
    }
    said.extend([stragglers_again(), client_scopes()].map(String::from));
    said.extend(RelinkShow::ALL.map(|show| relink_show(show).into()));
    said.extend([None, Some("a"), Some("b")].map(|after| renewed(Some("a"), after).into()));
    said.extend([relink_revoke().into(), more_found().into(), stale().into()]);
    for one in Notice::ALL {
        said.extend([notice(one).title.into(), notice(one).text.into()]);
    }
    for end in [Told::Told, Told::NotAsked, Told::Unable, Told::Nothing] {
        said.push(told(end, "Cronofy"));
    }
    said.extend(Role::ALL.map(|each| role(each).into()));
    said.extend(Scope::ALL.map(|each| scope(each).into()));
    let person = |disabled_at| User {
        id: Uuid::nil(),
        email: "sam@example.com".into(),
        role: Role::Support,
        disabled_at,
        last_login_at: None,
        created_at: AS_OF,
    };
    said.extend([None, Some(AS_OF)].map(|at| new_password(&person(at))));
    said.push(PASSWORD_SET.into());
    said.extend(ReaderKind::ALL.map(|kind| reader(kind).into()));
    said.extend([1, 12].map(times));
    said.extend([more_readers().into(), revealed_before().into(), reveal(), revealed_for()]);
    for end in [None, Some(AS_OF), Some(AS_OF + Duration::hours(1))] {
        said.push(revealed(end, AS_OF));
    }
    let marks = [
        MarkKind::Obtained,
        MarkKind::Refreshed,
        MarkKind::Failed,
        MarkKind::Due,
        MarkKind::AccessEnds,
        MarkKind::ReachEnds,
        MarkKind::NeedsHuman,
    ];
    for over in [false, true] {
        said.extend(marks.map(|kind| mark(kind, over).into()));
    }
    said
}

#[test]
fn everything_is_said_and_in_words_that_need_no_standard() {
    const JARGON: [&str; 12] = [
        "invalid_",
        "unauthorized_",
        "oauth",
        "http",
        "pkce",
        "grant_",
        "_grant",
        "401",
        "jwt",
        "json",
        "null",
        "endpoint",
    ];
    for sentence in all() {
        assert!(!sentence.trim().is_empty());
        let low = sentence.to_lowercase();
        for word in JARGON {
            assert!(!low.contains(word), "{word:?} in {sentence:?}");
        }
        assert!(!sentence.contains('_') && !sentence.contains("  "), "{sentence:?}");
    }
}

#[test]
fn a_dead_grant_is_told_with_who_what_when_and_what_next() {
    let state = State::NeedsReauth { reason: Reason::Revoked, since: AS_OF - Duration::hours(2) };
    let told = why(&connection(state), "Cronofy", AccessTokens::Ending, AS_OF);
    for part in ["Cronofy", "alice@example.com", "2 hours ago", "withdrawn", "Send a relink"] {
        assert!(told.contains(part), "{part} is missing in {told}");
    }
}

#[test]
fn the_clients_trouble_stands_over_the_connections_own() {
    let state = State::NeedsReauth { reason: Reason::Revoked, since: AS_OF };
    let one =
        Connection { client_state: client::StateName::CredentialsRejected, ..connection(state) };
    assert_eq!(next(&one, AS_OF), Next::MendClient);
    assert!(why(&one, "Cronofy", AccessTokens::Ending, AS_OF).contains("Accounting"));
}

#[test]
fn every_mishap_has_its_own_words() {
    let mut reasons = Reason::ALL.map(|each| reason(each, "P", "a", "now")).to_vec();
    reasons.sort();
    reasons.dedup();
    assert_eq!(reasons.len(), Reason::ALL.len());
    let mut classes = ErrorClass::ALL.map(|class| error_class(class, "P")).to_vec();
    classes.sort();
    classes.dedup();
    assert_eq!(classes.len(), ErrorClass::ALL.len());
    let mut samples = ErrorClass::ALL.map(sample_refused).to_vec();
    samples.sort_unstable();
    samples.dedup();
    assert_eq!(samples.len(), ErrorClass::ALL.len());
}

/// Whoever can't be told something is told what will show it.
#[test]
fn each_finding_of_a_check_has_its_own_words_and_the_next_step() {
    let mut texts: Vec<String> =
        checks().iter().map(|found| check(found, "P", client::StateName::Ready).text).collect();
    for text in &texts {
        let steps = ["show", "again", "correct", "does not fail", "Refresh one"];
        assert!(steps.iter().any(|step| text.contains(step)), "{text}");
    }
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), checks().len());
}

/// What passes by itself is told from what somebody has to mend.
#[test]
fn no_answer_is_no_pause() {
    let told = |status| {
        let found = CredentialCheck {
            finding: Finding::Unknown,
            with_secret: true,
            way: None,
            doubt: Some(Doubt::Unanswered),
            said: Some(Said { status, code: None, description: None }),
            checked_at: AS_OF,
        };
        check(&found, "P", client::StateName::Ready).text
    };
    assert!(told(None).contains("address") && !told(None).contains("pause"));
    assert!(told(Some(429)).contains("pause") && !told(Some(429)).contains("address"));
    assert!(told(Some(503)).contains("503") && !told(Some(503)).contains("pause"));
}

#[test]
fn times_are_told_from_the_pages_moment() {
    let said = |away| relative(AS_OF + away, AS_OF);
    assert_eq!(said(Duration::seconds(3)), "now");
    assert_eq!(said(Duration::seconds(-45)), "45 seconds ago");
    assert_eq!(said(Duration::minutes(2)), "in 2 minutes");
    assert_eq!(said(Duration::minutes(60)), "in 60 minutes");
    assert_eq!(said(Duration::hours(2)), "in 2 hours");
    assert_eq!(said(-Duration::days(3)), "3 days ago");
    assert_eq!(said(Duration::days(90)), "in 3 months");
    assert_eq!(said(Duration::days(365 * 3)), "in 3 years");
    assert_eq!(exact(AS_OF), "1 Mar 2026, 12:00:00 UTC");
}

#[test]
fn outcomes_are_read_back_from_addresses() {
    for end in Outcome::ALL {
        assert_eq!(end.as_str().parse(), Ok(end));
    }
    assert!("other".parse::<Outcome>().is_err());
}

#[test]
fn a_stretch_of_time_is_said_once() {
    let hours = |count: i64| AS_OF + Duration::hours(count);
    assert_eq!(between(hours(-72), hours(-2), AS_OF), "3 days to 2 hours ago");
    assert_eq!(between(hours(-2), hours(-2), AS_OF), "2 hours ago");
    assert_eq!(between(hours(48), hours(144), AS_OF), "in 2 days to 6 days");
    assert_eq!(between(hours(-2), hours(48), AS_OF), "2 hours ago to in 2 days");
    assert_eq!(bucket(Scale::Day, hours(2), hours(3), AS_OF), "2 hours to 3 hours");
    let midnight = datetime!(2026-03-02 0:00 UTC);
    assert_eq!(bucket(Scale::Month, AS_OF, midnight, AS_OF), "rest of 1 Mar 2026");
    assert_eq!(bucket(Scale::Month, midnight, hours(36), AS_OF), "2 Mar 2026");
    assert_eq!(bucket(Scale::Year, AS_OF, midnight, AS_OF), "rest of March 2026");
    assert_eq!(clock(AS_OF, hours(1)), "1 Mar, 12:00 to 13:00 UTC");
    assert_eq!((day_in_short(AS_OF).as_str(), month_in_short(AS_OF)), ("1 Mar", "Mar"));
}

#[test]
fn many_are_counted_and_said_in_words() {
    assert_eq!(ending(Ending::Refresh, 1), "1 refresh token ends");
    assert_eq!(ending(Ending::NeedsHuman, 12), "12 connections need a person");
    let told = |total, most| in_all(total, most, Scale::Month);
    assert_eq!((told(0, 0).as_str(), told(3, 3).as_str()), ("none", "3"));
    assert_eq!(told(31_000, 1_234), "31k in all, at most 1.2k in a day");
    assert_eq!(in_all(3, 2, Scale::Day), "3 in all, at most 2 in an hour");
    assert_eq!(in_all(3, 2, Scale::Year), "3 in all, at most 2 in a month");
    let mut tried = AttemptBucket::empty(AS_OF, AS_OF);
    assert_eq!(attempts(&tried), "no refresh");
    for verdict in Verdict::ALL {
        tried.add(verdict, 1);
    }
    assert_eq!(attempts(&tried), "2 refreshed, 2 failed in a way that passes, 3 refused");
}

/// Every cause that connections can share is told with what to do.
#[test]
fn what_happened_to_many_says_what_to_do() {
    let states = StateName::ALL.into_iter().filter(|state| *state != StateName::NeedsReauth);
    let causes = Reason::ALL
        .into_iter()
        .map(|reason| (Some(StateName::NeedsReauth), Some(reason)))
        .chain(states.map(|state| (Some(state), None)))
        .chain([(None, None)]);
    for (state, reason) in causes {
        for client_state in client::StateName::ALL {
            let cause = Cause { client_id: Uuid::nil(), state, reason };
            let group = NeedsHumanGroup {
                client_id: Uuid::nil(),
                client_name: "Accounting".into(),
                client_state,
                state,
                reason,
                count: 1_200,
                first_at: AS_OF - Duration::hours(3),
                last_at: AS_OF + Duration::hours(3),
                filter: cause.filter(AS_OF),
            };
            let told = super::group(&group, AS_OF);
            assert!(told.ends_with('.') && told.len() > 60, "{told}");
            assert!(group_line(&group, AS_OF).contains("the first for 3 hours"));
            assert_eq!(group_name(&group), "1\u{202f}200 connections of Accounting");
        }
    }
}

#[test]
fn what_differs_from_what_was_asked_is_said_with_what_to_do() {
    assert_eq!(drift(&granted_of("read write", "write read"), "Cronofy"), None);
    let said = |granted| drift(&granted_of("read write", granted), "Cronofy").unwrap();
    assert!(said("read").contains("did not grant one permission that was asked for"));
    assert!(said("read").contains("Send a relink to have it granted"));
    assert!(said("read write admin").contains("Nothing has to be done"));
    assert!(said("admin").contains("2 permissions that were asked for"));
    assert!(said("admin").contains("Send a relink to have them granted"));
    let unknown = Connection { scopes_granted: Vec::new(), ..granted_of("read", "read") };
    assert_eq!(drift(&unknown, "Cronofy"), None, "the provider has not said");
}

/// Nobody is told of a scope that brings a refresh token; where none came, it was not granted.
#[test]
fn what_brought_no_refresh_token_was_not_granted() {
    let asked = granted_of("openid offline_access read", "read");
    assert_eq!(drift(&asked, "Cronofy"), None);
    let without = Connection { has_refresh_token: false, ..asked };
    assert_eq!(without.drift().unwrap().missing, ["offline_access"]);
    let own = Connection { grant_type: GrantType::ClientCredentials, ..without.clone() };
    assert_eq!(own.drift(), None, "it needs none");
    let gone = Connection { state: State::Disconnected, ..without };
    assert_eq!(gone.drift(), None, "it holds nothing any more");
}

/// By whether there is a refresh token, whether the access token has an end, and whether the provider says that
/// it has none: the first line, whether a refresh is ahead, and how far the line is drawn.
#[test]
fn what_nothing_renews_is_told_alike_everywhere() {
    let (sight, nobody) = ("Alive, with no end in sight.", "Alive, but nobody knows until when.");
    let hour = Some(AS_OF + Duration::hours(1));
    let (ending, none) = (AccessTokens::Ending, AccessTokens::Endless);
    for (has_refresh_token, access_expires_at, tokens, said, is_refreshed, open) in [
        (true, hour, ending, sight, true, false),
        (true, None, ending, sight, true, true),
        (false, None, ending, nobody, false, false),
        (false, None, none, sight, false, false),
    ] {
        let one = Connection { has_refresh_token, access_expires_at, ..connection(State::Active) };
        assert_eq!(headline(&one, tokens, AS_OF), said);
        let life = Life::of(&one, &[], AS_OF);
        assert_eq!(life.due_at.is_some(), is_refreshed);
        assert_eq!(lifeline(&life).contains("next refresh"), is_refreshed);
        let left = |kind| kind == SegmentKind::AccessLeft;
        let line = draw(&life);
        assert_eq!(line.segments.iter().any(|one| left(one.kind) && one.open), open);
        let unseen = !has_refresh_token && access_expires_at.is_none();
        assert_eq!(one.may_end_unseen(), unseen);
        let unplanned = Connection { due_at: None, access_expires_at: None, ..one.clone() };
        assert_eq!(unplanned.is_unplanned(), has_refresh_token);
        let is_open = tokens == ending;
        let open = if has_refresh_token { "Alive, with no end known." } else { nobody };
        assert_eq!(headline(&unplanned, tokens, AS_OF) == open, is_open);
        assert_eq!(no_moment(&unplanned, tokens) == "no end known", is_open);
        let row = in_short(&unplanned, tokens, AS_OF).to_lowercase();
        assert_eq!(row.contains("no end of it is known"), is_open);
        let told = why(&unplanned, "Cronofy", tokens, AS_OF);
        assert_eq!(told.contains("nobody knows") || told.contains("did not say"), is_open);
        // A fixed end of its refresh token is an end, and is told.
        let fixed = Connection { needs_human_by: hour, ..unplanned };
        assert!(!has_refresh_token || no_moment(&fixed, tokens) != "no end known");
        assert!(!has_refresh_token || why(&fixed, "Cronofy", tokens, AS_OF).contains("runs out"));
        assert_eq!(no_moment(&one, tokens) == "not in sight", !unseen || tokens == none);
        let row = in_short(&one, tokens, AS_OF);
        assert_eq!(row == meaning(Standing::Alive), has_refresh_token);
        assert_eq!(row.contains("no end of it is known"), unseen && tokens == ending);
    }
    let own = Connection {
        grant_type: GrantType::ClientCredentials,
        has_refresh_token: false,
        ..connection(State::Active)
    };
    assert!(own.renews() && own.refresh_at(AS_OF).is_some());
}

#[test]
fn a_row_tells_a_lost_answer_from_a_refusal() {
    let over = |state| Connection {
        access_expires_at: Some(AS_OF - Duration::minutes(2)),
        ..connection(state)
    };
    let told = |state| in_short(&over(state), AccessTokens::Ending, AS_OF);
    let doubt = told(State::InDoubt { attempt_id: Uuid::nil() });
    assert!(
        doubt.contains("2 minutes ago, and the answer to its last refresh was lost"),
        "{doubt}"
    );
    let refused = told(State::Retrying {
        attempts: 2,
        next_at: AS_OF + Duration::minutes(3),
        last_error: ErrorClass::Transient,
    });
    assert!(refused.contains("2 minutes ago, and refreshing fails"), "{refused}");
}

/// However late it was seen that nothing renews it.
#[test]
fn what_was_over_when_it_was_imported_is_told_from_its_end() {
    let one = Connection {
        grant_type: GrantType::Import,
        generation: 1,
        has_refresh_token: false,
        access_expires_at: Some(AS_OF - Duration::hours(6)),
        ..connection(State::NeedsReauth { reason: Reason::NoRefreshToken, since: AS_OF })
    };
    let said = why(&one, "Cronofy", AccessTokens::Ending, AS_OF);
    assert!(
        said.contains("ran out 6 hours ago, and the import brought no refresh token"),
        "{said}"
    );
    assert_eq!(headline(&one, AccessTokens::Ending, AS_OF), "Has needed a person for 6 hours.");
    assert!(in_short(&one, AccessTokens::Ending, AS_OF).contains("6 hours ago"));
    assert_eq!(Life::of(&one, &[], AS_OF).dead_since, one.access_expires_at);
    let consented = Connection { grant_type: GrantType::AuthorizationCode, ..one };
    let said = why(&consented, "Cronofy", AccessTokens::Ending, AS_OF);
    assert!(said.contains("6 hours ago, and Cronofy never gave a refresh token"), "{said}");
}

/// A day is not enough for what is near.
#[test]
fn what_ends_today_is_told_with_its_hour() {
    for (ahead, said) in [
        (Duration::minutes(90), "consent again by 1 Mar 2026, 13:30 UTC."),
        (Duration::days(5), "consent again by 6 Mar 2026."),
    ] {
        let end = Some(AS_OF + ahead);
        let one = Connection {
            has_refresh_token: false,
            access_expires_at: end,
            needs_human_by: end,
            ..connection(State::Active)
        };
        let told = why(&one, "Cronofy", AccessTokens::Ending, AS_OF);
        assert!(told.contains(said) && told.contains("Cronofy gave no refresh token"), "{told}");
        let imported = Connection { grant_type: GrantType::Import, generation: 1, ..one };
        let told = why(&imported, "Cronofy", AccessTokens::Ending, AS_OF);
        assert!(told.contains("The import brought no refresh token"), "{told}");
    }
}

/// An import skips what is here already, and not everybody may import.
#[test]
fn what_is_imported_once_more_has_another_external_id() {
    let refused = State::NeedsReauth { reason: Reason::Revoked, since: AS_OF };
    for external_id in [None, Some("7".to_owned())] {
        let another = external_id.is_some();
        for state in [State::Active, refused.clone()] {
            let one = Connection {
                external_id: external_id.clone(),
                grant_type: GrantType::Import,
                generation: 1,
                has_refresh_token: false,
                access_expires_at: None,
                ..connection(state)
            };
            let said = why(&one, "Cronofy", AccessTokens::Ending, AS_OF);
            assert!(said.contains("have an admin import"), "{said}");
            assert_eq!(said.contains("under another external id"), another, "{said}");
            assert_eq!(said.contains("as another connection"), !another, "{said}");
        }
    }
}

#[test]
fn the_answer_that_was_lost_is_the_first_with_the_token_that_is_held() {
    let before = Attempt { generation_before: 2, ..unheard(9) };
    let attempts = [unheard(1), unheard(2), before];
    let lost_rotation =
        connection(State::NeedsReauth { reason: Reason::RotationLost, since: AS_OF });
    let said = lost(&lost_rotation, &attempts, "Cronofy", AS_OF).unwrap();
    assert!(said.contains("2 hours ago") && said.contains("did not answer in time"), "{said}");
    assert_eq!(lost(&connection(State::Active), &attempts, "Cronofy", AS_OF), None);
    // A server that fails in the midst may have replaced the token as well.
    let failed = |status| Attempt {
        verdict: Some(Verdict::Postponed),
        error_class: Some(ErrorClass::Transient),
        status: Some(status),
        ..unheard(3)
    };
    let said = lost(&lost_rotation, &[unheard(1), failed(502)], "Cronofy", AS_OF).unwrap();
    assert!(said.contains("3 hours ago") && said.contains("failed with the status 502"), "{said}");
    let said = lost(&lost_rotation, &[unheard(1), failed(503)], "Cronofy", AS_OF).unwrap();
    assert!(said.contains("60 minutes ago"), "{said}");
}

/// What was lost, when it is asked for again, and what either answer will mean.
#[test]
fn a_doubt_is_explained() {
    let doubtful = Connection {
        due_at: Some(AS_OF + Duration::minutes(4)),
        ..connection(State::InDoubt { attempt_id: Uuid::nil() })
    };
    let said = why(&doubtful, "Cronofy", AccessTokens::Ending, AS_OF);
    for told in
        ["the answer was lost", "asks again in 4 minutes", "nothing is lost", "If it refuses"]
    {
        assert!(said.contains(told), "{told}: {said}");
    }
    let now = Connection { due_at: Some(AS_OF), ..doubtful };
    assert!(why(&now, "Cronofy", AccessTokens::Ending, AS_OF).contains("is about to ask again"));
}

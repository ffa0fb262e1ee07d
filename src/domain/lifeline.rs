//! The lifeline: one connection's time on one line, as pure geometry.
//!
//! A refresh token that reaches a year ahead and an access token with ten minutes left have to be
//! read off the same line, and lines above one another have to be comparable. So the scale is the
//! same for all of them and logarithmic away from *now*: the next hour takes as much room as the
//! next months. Positions run from 0 (left) to 1 (right).

use time::{Duration, OffsetDateTime};

use super::{
    attempt::{Attempt, Verdict},
    connection::{Connection, State},
};

/// Where *now* stands.
pub const NOW: f64 = 0.22;
/// Within this span of *now* the scale is close to linear.
const NEAR: f64 = 600.0;
const AHEAD: Duration = Duration::days(400);
const BEHIND: Duration = Duration::days(40);
/// Labels closer than this stand in different lanes.
const LABEL_WIDTH: f64 = 0.17;
/// How many lanes of labels there are at most.
pub const LANES: u8 = 3;

/// The moments that the axis names, in seconds from *now*.
const TICKS: [(i64, &str); 8] = [
    (-7 * 86_400, "−1 wk"),
    (-3_600, "−1 h"),
    (0, "now"),
    (3_600, "1 h"),
    (86_400, "1 day"),
    (7 * 86_400, "1 wk"),
    (30 * 86_400, "1 mo"),
    (365 * 86_400, "1 yr"),
];

/// What a lifeline is drawn from.
#[derive(Clone, Debug, PartialEq)]
pub struct Life {
    pub as_of: OffsetDateTime,
    pub obtained_at: Option<OffsetDateTime>,
    pub access_expires_at: Option<OffsetDateTime>,
    pub due_at: Option<OffsetDateTime>,
    pub needs_human_by: Option<OffsetDateTime>,
    pub reach: Reach,
    /// Since when only a person can help.
    pub dead_since: Option<OffsetDateTime>,
    /// Tries that ended, and whether each brought a token.
    pub tries: Vec<(OffsetDateTime, bool)>,
}

/// How far it can be renewed without a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Nowhere,
    Until(OffsetDateTime),
    /// No end is known.
    Open,
}

impl Life {
    pub fn of(connection: &Connection, attempts: &[Attempt], as_of: OffsetDateTime) -> Self {
        let living = matches!(
            connection.state,
            State::Active | State::Retrying { .. } | State::InDoubt { .. }
        );
        let reach = match (living && connection.renews(), connection.refresh_expires_at) {
            (false, _) => Reach::Nowhere,
            (true, Some(end)) => Reach::Until(end),
            (true, None) => Reach::Open,
        };
        let held = connection.state != State::Disconnected;
        Self {
            as_of,
            obtained_at: connection.obtained_at.filter(|_| held),
            access_expires_at: connection.access_expires_at.filter(|_| held),
            due_at: connection.refresh_at(as_of).filter(|_| living),
            needs_human_by: connection.person_by().filter(|_| living),
            reach,
            dead_since: connection.dead_since(),
            tries: attempts
                .iter()
                .filter_map(|attempt| {
                    let verdict = attempt.verdict?;
                    (verdict != Verdict::Superseded)
                        .then_some((attempt.started_at, verdict == Verdict::Refreshed))
                })
                .collect(),
        }
    }
}

/// A stretch of the line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Segment {
    pub kind: SegmentKind,
    pub from: f64,
    pub to: f64,
    /// It goes on beyond the edge.
    pub open: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentKind {
    /// The part of the access token's life that is over.
    AccessBehind,
    /// What is left of the access token.
    AccessLeft,
    /// How far renewal reaches without a person.
    Reach,
    /// The time nobody but a person could help.
    Dead,
}

/// A moment on the line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark {
    pub kind: MarkKind,
    pub position: f64,
    pub at: OffsetDateTime,
    /// The row its label stands in, so that labels do not cover each other; `None`: no room.
    pub lane: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MarkKind {
    Obtained,
    Refreshed,
    Failed,
    Due,
    AccessEnds,
    ReachEnds,
    NeedsHuman,
}

/// A name on the axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tick {
    pub position: f64,
    pub label: &'static str,
}

/// A lifeline ready to be drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Lifeline {
    pub segments: Vec<Segment>,
    /// From left to right.
    pub marks: Vec<Mark>,
}

/// The names on the axis, the same for every lifeline.
pub fn ticks() -> impl Iterator<Item = Tick> {
    TICKS.into_iter().map(|(seconds, label)| Tick { position: place(seconds as f64), label })
}

/// Where a moment stands, from 0 to 1.
pub fn position(at: OffsetDateTime, as_of: OffsetDateTime) -> f64 {
    place((at - as_of).as_seconds_f64())
}

fn place(seconds: f64) -> f64 {
    let scaled = |span: f64, whole: Duration| {
        let share = (1.0 + span / NEAR).ln() / (1.0 + whole.as_seconds_f64() / NEAR).ln();
        share.min(1.0)
    };
    if seconds >= 0.0 {
        NOW + (1.0 - NOW) * scaled(seconds, AHEAD)
    } else {
        NOW - NOW * scaled(-seconds, BEHIND)
    }
}

/// Lays a life out on the line.
pub fn draw(life: &Life) -> Lifeline {
    Lifeline { segments: segments(life), marks: marks(life) }
}

fn segments(life: &Life) -> Vec<Segment> {
    let at = |moment| position(moment, life.as_of);
    let beyond = |moment: OffsetDateTime| moment - life.as_of > AHEAD;
    let mut drawn = Vec::new();
    match life.reach {
        Reach::Nowhere => {}
        Reach::Until(end) if end <= life.as_of => {}
        Reach::Until(end) => drawn.push(Segment {
            kind: SegmentKind::Reach,
            from: NOW,
            to: at(end),
            open: beyond(end),
        }),
        Reach::Open => {
            drawn.push(Segment { kind: SegmentKind::Reach, from: NOW, to: 1.0, open: true });
        }
    }
    if let Some(since) = life.dead_since.filter(|since| *since < life.as_of) {
        drawn.push(Segment { kind: SegmentKind::Dead, from: at(since), to: NOW, open: false });
    }
    if let Some(obtained) = life.obtained_at {
        let end = life.access_expires_at.unwrap_or(life.as_of).min(life.as_of);
        if obtained < end {
            drawn.push(Segment {
                kind: SegmentKind::AccessBehind,
                from: at(obtained),
                to: at(end),
                open: false,
            });
        }
        match life.access_expires_at {
            Some(end) if end > life.as_of => drawn.push(Segment {
                kind: SegmentKind::AccessLeft,
                from: NOW,
                to: at(end),
                open: beyond(end),
            }),
            Some(_) => {}
            // Of what nothing renews nobody can say how far it goes.
            None if life.reach != Reach::Nowhere => drawn.push(Segment {
                kind: SegmentKind::AccessLeft,
                from: NOW,
                to: 1.0,
                open: true,
            }),
            None => {}
        }
    }
    drawn
}

fn marks(life: &Life) -> Vec<Mark> {
    let ahead = |moment: &OffsetDateTime| *moment > life.as_of;
    let reach_end = match life.reach {
        Reach::Until(end) => Some(end),
        Reach::Nowhere | Reach::Open => None,
    };
    let once = [
        (MarkKind::Obtained, life.obtained_at),
        (MarkKind::Due, life.due_at.filter(ahead)),
        (MarkKind::AccessEnds, life.access_expires_at),
        (MarkKind::ReachEnds, reach_end),
        (MarkKind::NeedsHuman, life.dead_since.or(life.needs_human_by)),
    ];
    let tries = life.tries.iter().map(|(at, worked)| {
        (if *worked { MarkKind::Refreshed } else { MarkKind::Failed }, Some(*at))
    });
    let mut marks: Vec<Mark> = tries
        .chain(once)
        .filter_map(|(kind, at)| {
            let at = at?;
            Some(Mark { kind, position: position(at, life.as_of), at, lane: None })
        })
        .collect();
    marks.sort_by_key(|mark| mark.at);
    label(&mut marks);
    marks
}

/// Gives each label the lowest lane in which it covers no other. What a person must know comes
/// first; tries are not labelled, there may be hundreds.
fn label(marks: &mut [Mark]) {
    let order = [
        MarkKind::NeedsHuman,
        MarkKind::AccessEnds,
        MarkKind::ReachEnds,
        MarkKind::Due,
        MarkKind::Obtained,
    ];
    let mut taken: Vec<(u8, f64)> = Vec::new();
    for kind in order {
        for mark in marks.iter_mut().filter(|mark| mark.kind == kind) {
            mark.lane = (0..LANES).find(|lane| {
                taken
                    .iter()
                    .all(|(other, at)| other != lane || (at - mark.position).abs() >= LABEL_WIDTH)
            });
            if let Some(lane) = mark.lane {
                taken.push((lane, mark.position));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const AS_OF: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

    fn life() -> Life {
        Life {
            as_of: AS_OF,
            obtained_at: Some(AS_OF - Duration::minutes(20)),
            access_expires_at: Some(AS_OF + Duration::minutes(40)),
            due_at: Some(AS_OF + Duration::minutes(30)),
            needs_human_by: Some(AS_OF + Duration::days(14)),
            reach: Reach::Until(AS_OF + Duration::days(14)),
            dead_since: None,
            tries: vec![(AS_OF - Duration::minutes(20), true)],
        }
    }

    #[test]
    fn the_scale_keeps_order_and_stays_on_the_line() {
        let spans = [-9_999_999, -86_400, -3_600, -60, 0, 60, 3_600, 86_400, 2_592_000, 99_999_999];
        let places: Vec<f64> = spans.iter().map(|span| place(f64::from(*span))).collect();
        assert!(places.is_sorted());
        assert_eq!((places[0], places[4], places[9]), (0.0, NOW, 1.0));
    }

    #[test]
    fn a_living_connection_shows_what_is_behind_left_and_within_reach() {
        let line = draw(&life());
        let kinds: Vec<_> = line.segments.iter().map(|segment| segment.kind).collect();
        assert_eq!(kinds, [SegmentKind::Reach, SegmentKind::AccessBehind, SegmentKind::AccessLeft]);
        assert!(line.segments.iter().all(|segment| segment.from < segment.to && !segment.open));
    }

    #[test]
    fn a_reach_without_end_leaves_the_line() {
        let line = draw(&Life { reach: Reach::Open, ..life() });
        assert_eq!(
            line.segments[0],
            Segment { kind: SegmentKind::Reach, from: NOW, to: 1.0, open: true }
        );
        let far = draw(&Life { reach: Reach::Until(AS_OF + Duration::days(4_000)), ..life() });
        assert!(far.segments[0].open);
    }

    #[test]
    fn a_dead_connection_has_nothing_ahead_but_its_access_token() {
        let since = AS_OF - Duration::hours(2);
        let line = draw(&Life {
            reach: Reach::Nowhere,
            dead_since: Some(since),
            due_at: None,
            needs_human_by: None,
            access_expires_at: Some(AS_OF - Duration::hours(1)),
            obtained_at: Some(AS_OF - Duration::hours(3)),
            ..life()
        });
        assert!(line.segments.iter().all(|segment| segment.to <= NOW));
        let human = line.marks.iter().find(|mark| mark.kind == MarkKind::NeedsHuman);
        assert_eq!(human.map(|mark| mark.at), Some(since));
    }

    #[test]
    fn a_due_time_that_has_passed_is_not_shown_ahead() {
        let line = draw(&Life { due_at: Some(AS_OF - Duration::SECOND), ..life() });
        assert!(line.marks.iter().all(|mark| mark.kind != MarkKind::Due));
    }

    #[test]
    fn labels_in_one_lane_do_not_cover_each_other() {
        let line = draw(&life());
        let labelled: Vec<_> = line.marks.iter().filter(|mark| mark.lane.is_some()).collect();
        assert!(labelled.iter().any(|mark| mark.kind == MarkKind::NeedsHuman));
        for (at, one) in labelled.iter().enumerate() {
            for other in &labelled[at + 1..] {
                assert!(
                    one.lane != other.lane || (one.position - other.position).abs() >= LABEL_WIDTH
                );
            }
        }
    }

    #[test]
    fn nothing_known_draws_nothing() {
        let line = draw(&Life {
            as_of: AS_OF,
            obtained_at: None,
            access_expires_at: None,
            due_at: None,
            needs_human_by: None,
            reach: Reach::Nowhere,
            dead_since: None,
            tries: Vec::new(),
        });
        assert!(line.segments.is_empty() && line.marks.is_empty());
    }
}

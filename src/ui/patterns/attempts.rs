//! A connection's history of refreshes, with the provider's own words folded below each.

use leptos::prelude::*;
use time::OffsetDateTime;

use crate::{
    domain::{
        attempt::{Attempt, Verdict},
        voice::{self, Empty},
    },
    ui::components::{glyph, moment::Ago, notice::nothing},
};

pub fn attempts(attempts: &[Attempt], provider: &str, as_of: OffsetDateTime) -> AnyView {
    if attempts.is_empty() {
        return nothing(Empty::Attempts, ());
    }
    let rows = attempts.iter().map(|attempt| row(attempt, provider, as_of)).collect::<Vec<_>>();
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label="Refreshes">
            <table class="table">
                <thead>
                    <tr>
                        <th scope="col">"When"</th>
                        <th scope="col">"How it ended"</th>
                        <th scope="col" class="is-minor">"Why tried"</th>
                        <th scope="col" class="is-figure is-minor">
                            "Took"
                        </th>
                        <th scope="col" class="is-figure">
                            "Generation"
                        </th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn row(attempt: &Attempt, provider: &str, as_of: OffsetDateTime) -> AnyView {
    let (word, meaning) = voice::verdict(attempt.verdict);
    let tone = match attempt.verdict {
        Some(Verdict::Refreshed) => "alive",
        Some(Verdict::Condemned) => "needs-person",
        Some(Verdict::ClientRefused) => "client-refused",
        Some(Verdict::Postponed | Verdict::InDoubt | Verdict::Suspended) => "retrying",
        Some(Verdict::Superseded) | None => "paused",
    };
    let shape = match attempt.verdict {
        Some(Verdict::Refreshed) => glyph::TICK,
        Some(Verdict::Superseded) | None => glyph::ARROW,
        Some(_) => glyph::CROSS,
    };
    let generation = match attempt.generation_after {
        Some(after) => format!("{} → {after}", attempt.generation_before),
        None => attempt.generation_before.to_string(),
    };
    let said = said(attempt);
    let class = attempt.error_class.map(|class| voice::error_class(class, provider));
    view! {
        <tr>
            <td>
                <Ago at=attempt.started_at as_of/>
            </td>
            <td>
                <span class="badge" data-state=tone title=meaning>
                    {glyph::shape(shape)}
                    {word}
                </span>
                {class.map(|class| view! { <p class="sub">{class}</p> })}
                {said
                    .map(|said| {
                        view! {
                            <details class="fold">
                                <summary>"What the provider said"</summary>
                                <pre>{said}</pre>
                            </details>
                        }
                    })}
            </td>
            <td class="is-brief is-minor">{voice::trigger(attempt.trigger)}</td>
            <td class="is-figure is-minor">
                {attempt.latency_ms().map(|ms| format!("{ms} ms")).unwrap_or_else(|| "–".into())}
            </td>
            <td class="is-figure" data-label="Generation">{generation}</td>
        </tr>
    }
    .into_any()
}

/// The provider's own words, if it said anything but a token.
fn said(attempt: &Attempt) -> Option<String> {
    own_words(attempt.status, attempt.error_code.as_deref(), attempt.error_description.as_deref())
        .filter(|_| attempt.verdict != Some(Verdict::Refreshed))
}

/// A provider's refusal as it gave it.
pub fn own_words(
    status: Option<u16>,
    code: Option<&str>,
    description: Option<&str>,
) -> Option<String> {
    let status = status.map(|status| format!("HTTP {status}"));
    let parts: Vec<&str> = [status.as_deref(), code, description].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("\n"))
}

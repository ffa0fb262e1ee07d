//! Who or what read a connection's token, and how often.

use leptos::prelude::*;
use time::OffsetDateTime;

use crate::{
    domain::{
        token_reader::TokenReader,
        voice::{self, Empty},
    },
    ui::components::{
        moment::{Ago, Day},
        notice::nothing,
    },
};

/// These readers, in their order. `more`: there are others.
pub fn token_readers(readers: Vec<TokenReader>, more: bool, as_of: OffsetDateTime) -> AnyView {
    if readers.is_empty() {
        return nothing(Empty::TokenReaders, ());
    }
    let rows = readers
        .into_iter()
        .map(|reader| {
            view! {
                <tr>
                    <td>
                        {reader.name} <p class="sub">{voice::reader(reader.kind)}</p>
                    </td>
                    <td>
                        {voice::times(reader.reads)} ", last " <Ago at=reader.last_at as_of/>
                    </td>
                    <td>"since " <Day at=reader.first_at/></td>
                </tr>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label="Readers of the token">
            <table class="table">
                <thead>
                    <tr>
                        <th scope="col">"Who"</th>
                        <th scope="col">"How often"</th>
                        <th scope="col">"First"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        {more.then(|| view! { <p class="help">{voice::more_readers()}</p> })}
    }
    .into_any()
}

//! People and programs that ask for a refresh at once: `refresh::now`, but for what they are told.

use std::sync::{Arc, atomic::Ordering};

use uuid::Uuid;

use super::Process;
use crate::{
    domain::attempt::Trigger,
    server::app::refresh::{engine::Ports, flights::board},
    tests::simulation::{
        claims::One,
        executor::{MILLI, Micros, SECOND},
    },
};

const DEADLINE: Micros = 40 * SECOND;
const LOOK: Micros = 250 * MILLI;

impl Process {
    /// `refresh::now`: someone asks for a refresh at once.
    pub async fn on_demand(self: &Arc<Self>, id: Uuid, is_forced: bool) {
        let deadline = self.world.state().schedule.now + DEADLINE;
        let _: Option<()> =
            self.world.timeout(DEADLINE, self.demand(id, is_forced, deadline)).await;
    }

    async fn demand(self: &Arc<Self>, id: Uuid, is_forced: bool, deadline: Micros) {
        loop {
            let Ok(Some((generation, client_id))) =
                self.world.look(Some(self.replica), |view| view.refreshable(id)).await
            else {
                return;
            };
            let pilot = match board(&self.flights, id, is_forced) {
                Ok(pilot) => pilot,
                Err(flight) => {
                    let swallows = is_forced && !flight.forced;
                    self.world.at("wait for a flight");
                    flight.landed().await;
                    if swallows {
                        continue;
                    }
                    return;
                }
            };
            // Claimed and made in a task of its own, which outlives whoever asked.
            let process = self.clone();
            let trigger = if is_forced { Trigger::Manual } else { Trigger::Demand };
            self.under_way.fetch_add(1, Ordering::Relaxed);
            self.spawn(async move {
                process.claim_and_make(id, client_id, generation, trigger, deadline).await;
                drop(pilot);
                process.under_way.fetch_sub(1, Ordering::Relaxed);
            });
            return;
        }
    }

    async fn claim_and_make(
        self: &Arc<Self>,
        id: Uuid,
        client_id: Uuid,
        mut generation: i64,
        trigger: Trigger,
        deadline: Micros,
    ) {
        let asking = self.flights.asking(client_id);
        let mut asks = None;
        while !self.is_stopping() && self.world.state().schedule.now < deadline {
            if asks.is_none() {
                self.world.at("wait to look for room");
                let Ok(turn) = asking.acquire().await else { return };
                asks = Some(turn);
            }
            match self.one(id, client_id, generation, trigger).await {
                Ok(One::Claimed(claimed)) => {
                    drop(asks);
                    self.under_way.fetch_add(1, Ordering::Relaxed);
                    self.make(*claimed).await;
                    return;
                }
                Ok(One::Taken) => {
                    asks = None;
                    loop {
                        let held = self.world.look(Some(self.replica), |view| view.is_held(id));
                        match held.await {
                            Ok(false) => break,
                            Ok(true) if self.world.state().schedule.now < deadline => {}
                            Ok(true) | Err(_) => return,
                        }
                        let wakes = self.flights.wakes(id);
                        self.world.at("wait for another's refresh");
                        self.world.timeout(LOOK, wakes.notified()).await;
                    }
                    match self.world.look(Some(self.replica), |view| view.refreshable(id)).await {
                        // Someone else refreshed it.
                        Ok(Some((current, _)))
                            if current != generation && trigger != Trigger::Manual =>
                        {
                            return;
                        }
                        Ok(Some((current, _))) => generation = current,
                        _ => return,
                    }
                    self.world.at("wait to ask again");
                    self.world.sleep(50 * MILLI).await;
                }
                Ok(One::NoRoom) => {
                    let may_ask =
                        self.world.look(Some(self.replica), |view| view.may_ask(client_id));
                    if !may_ask.await.unwrap_or(false)
                        || self.call_for_room(client_id).await.is_err()
                    {
                        return;
                    }
                    self.world.at("wait for room");
                    self.world.sleep(50 * MILLI).await;
                }
                Err(_) => return,
            }
        }
    }
}

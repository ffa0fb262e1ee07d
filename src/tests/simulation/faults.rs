//! What can go wrong, and how often it does in one world. Each seed turns on some of it, some of that
//! strongly: faults that are always there hide each other.

use super::dice::Dice;

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident $rate:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Fault {
            $($(#[$doc])* $name,)*
        }

        impl Fault {
            pub const ALL: &[Self] = &[$(Self::$name,)*];
            const RATES: &[f64] = &[$($rate,)*];
        }
    };
}

faults! {
    // The network between us and the provider: chances for each request.
    /// No connection comes about, so nothing is sent.
    Unreachable 0.03,
    /// The request disappears, and nobody says so.
    RequestLost 0.02,
    /// The provider acted, and its answer disappears.
    AnswerLost 0.02,
    /// The provider acted, and the connection breaks before its answer has come.
    AnswerReset 0.02,
    /// The provider acted, and its answer can't be read.
    AnswerGarbled 0.02,
    /// A proxy sends the request again: the provider sees it twice.
    Duplicated 0.015,
    RequestDelayed 0.03,
    AnswerDelayed 0.03,

    // The provider: chances for each request, or windows in each hour.
    /// It takes its time, perhaps more than anybody waits.
    Slow 0.04,
    RateLimited 0.03,
    /// 503 without having acted.
    Unavailable 0.03,
    /// 500 after it has acted.
    FailedAfterActing 0.015,
    /// It is away, for up to hours.
    Outage 0.8,
    /// Its registration has another secret than ours.
    SecretReplaced 0.6,
    /// It refuses all that a client presents, for a while, though it is good.
    MassRefusal 0.7,
    /// An account's owner withdraws consent.
    Revoked 1.0,

    // The store: chances for each statement or commit, or windows in each hour.
    StoreSlow 0.01,
    /// The connection to it breaks in the middle of a transaction.
    StoreBroken 0.004,
    /// A commit does not come to it.
    CommitLost 0.006,
    /// A commit is made, and nobody hears of it.
    CommitUnheard 0.012,
    /// A commit is made long after whoever sent it went away.
    CommitLate 0.006,
    /// It refuses connections for a while.
    StoreAway 2.0,
    /// It hangs for a while.
    StoreFrozen 2.0,
    /// It ends all transactions.
    StoreRestart 2.0,
    /// One replica can't come to it, and is told so.
    PartitionRefused 1.5,
    /// One replica can't come to it, and hears nothing.
    PartitionSilent 1.5,
    NotificationLost 0.3,
    /// Its clock is set forward.
    ClockForward 0.5,
    /// Its clock is set back.
    ClockBack 0.5,

    // The processes: chances for each step, or windows in each hour.
    Crash 0.002,
    /// Stopped for a while, as by SIGSTOP or a machine that swaps.
    Pause 0.001,
    /// Told to stop, and begun again.
    Stop 2.0,
    /// With a crash the machine's disk goes too.
    DiskLost 0.15,
    /// With a crash the journal's last record is cut off.
    JournalTorn 0.5,
    /// The journal can't be written.
    JournalFull 0.1,
    /// A replica's clock is wrong.
    ClockOff 0.5,

    // People.
    /// Consent is given again to a connection that lives.
    ConsentAgain 1.0,
    Disconnected 0.3,
    /// An admin switches a client off, and on again.
    SwitchedOff 0.4,
    /// An admin ends a pause that the provider asked for.
    PauseEnded 1.0,
    // Chances for each incident.
    /// An admin resumes the client.
    Resumed 0.4,
    /// An admin condemns what was refused.
    CondemnedAnyway 0.2,
}

impl Fault {
    pub const COUNT: usize = Self::ALL.len();
}

/// How often each fault strikes in one world.
#[derive(Clone, Debug)]
pub struct Rates([f64; Fault::COUNT]);

impl Rates {
    pub fn of(dice: &mut Dice) -> Self {
        // Some worlds are nearly calm, some are at war.
        let share = *dice.pick(&[0.0, 0.1, 0.2, 0.4, 0.6]);
        Self::with(dice, share)
    }

    /// Rates of a world in which about this share of all faults can strike.
    pub fn with(dice: &mut Dice, share: f64) -> Self {
        let mut rates = [0.0; Fault::COUNT];
        for (rate, usual) in rates.iter_mut().zip(Fault::RATES) {
            if dice.chance(share) {
                *rate = usual * *dice.pick(&[0.5, 1.0, 1.0, 2.0, 4.0]);
            }
        }
        // To find out what something comes of: `REGRANT_WITHOUT=ClockBack,Crash`.
        if let Ok(without) = std::env::var("REGRANT_WITHOUT") {
            for fault in Fault::ALL {
                if without.split(',').any(|name| name == format!("{fault:?}")) {
                    rates[*fault as usize] = 0.0;
                }
            }
        }
        Self(rates)
    }

    pub fn rate(&self, fault: Fault) -> f64 {
        self.0[fault as usize]
    }
}

/// How often each fault has struck.
#[derive(Clone, Copy, Debug)]
pub struct Counts(pub [u64; Fault::COUNT]);

impl Default for Counts {
    fn default() -> Self {
        Self([0; Fault::COUNT])
    }
}

impl Counts {
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }

    pub fn note(&mut self, fault: Fault) {
        self.0[fault as usize] += 1;
    }
}

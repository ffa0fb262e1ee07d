//! Figures of several rounds, and how they are told.

/// What several rounds gave.
#[derive(Clone, Debug, Default)]
pub struct Series(Vec<f64>);

impl Series {
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// Round by round, `self` in terms of `yardstick`.
    pub fn over(&self, yardstick: &Self) -> Self {
        Self(self.0.iter().zip(&yardstick.0).map(|(one, other)| one / other).collect())
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    pub fn min(&self) -> f64 {
        self.quantile(0.0)
    }

    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    pub fn max(&self) -> f64 {
        self.quantile(1.0)
    }

    /// The value below which this part of all values lies.
    pub fn quantile(&self, part: f64) -> f64 {
        let sorted = self.sorted();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss
        )]
        let at = ((sorted.len().saturating_sub(1)) as f64 * part).round() as usize;
        sorted.get(at).copied().unwrap_or(f64::NAN)
    }

    fn told(&self) -> String {
        format!("{} / {} / {}", short(self.min()), short(self.median()), short(self.max()))
    }
}

/// What is wanted of a ratio's median.
#[derive(Clone, Copy, Debug)]
pub enum Aim {
    AtLeast(f64),
    AtMost(f64),
    Exactly(f64),
}

impl Aim {
    fn is_reached(self, value: f64) -> bool {
        match self {
            Self::AtLeast(aim) => value >= aim,
            Self::AtMost(aim) => value <= aim,
            Self::Exactly(aim) => (value - aim).abs() < f64::EPSILON,
        }
    }

    fn told(self) -> String {
        match self {
            Self::AtLeast(aim) => format!(">= {aim}"),
            Self::AtMost(aim) => format!("<= {aim}"),
            Self::Exactly(aim) => format!("= {aim}"),
        }
    }
}

/// One measure with its aim.
pub struct Line {
    /// What was measured, and in what unit.
    pub what: String,
    pub product: Series,
    /// What it is held against, and what that gave; `None`: the aim is for the figure itself.
    pub yardstick: Option<(String, Series)>,
    pub aim: Aim,
}

impl Line {
    fn judged(&self) -> Series {
        match &self.yardstick {
            Some((_, yardstick)) => self.product.over(yardstick),
            None => self.product.clone(),
        }
    }

    /// What is exact has to hold in each round; what is fast, in the median.
    pub fn is_reached(&self) -> bool {
        let judged = self.judged();
        match self.aim {
            Aim::Exactly(_) => judged.0.iter().all(|value| self.aim.is_reached(*value)),
            _ => self.aim.is_reached(judged.median()),
        }
    }

    pub fn tell(&self) {
        let judged = self.judged();
        println!("{}", self.what);
        println!("    product    {}", self.product.told());
        if let Some((name, series)) = &self.yardstick {
            println!("    yardstick  {}   {name}", series.told());
            println!("    ratio      {}", judged.told());
        }
        let verdict = if self.is_reached() { "ok" } else { "SHORT" };
        println!("    aim        {}   {verdict}", self.aim.told());
    }
}

pub fn print(lines: &[Line]) {
    println!("\nEach figure: min / median / max of the rounds; the aim is for the median.\n");
    for line in lines {
        line.tell();
    }
}

/// Three digits that matter.
pub fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

//! Reading the closing lines of test runners, so that one line can sum them up.

use std::ops::AddAssign;

/// How many tests did what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub passed: u32,
    pub failed: u32,
    pub skipped: u32,
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// The numbers of a runner's closing line; nothing for any other line.
///
/// nextest: `Summary [ 7.7s] 14 tests run: 13 passed (1 slow), 1 failed, 1 skipped`;
/// cargo test: `test result: ok. 14 passed; 0 failed; 1 ignored; …`;
/// Playwright, each alone on its line: `12 passed (30.1s)`, `1 failed`, `1 flaky`, `2 skipped`;
/// Node's test runner: `# pass 12`, `# fail 1`, `# skipped 2`.
pub fn count(line: &str) -> Count {
    let plain = without_colour(line);
    let plain = plain.trim();
    if let Some(count) = of_node(plain) {
        return count;
    }
    let counts = if let Some((_, counts)) =
        plain.split_once("tests run: ").or(plain.split_once("test run: "))
        && plain.starts_with("Summary")
    {
        counts
    } else if let Some(counts) = plain.strip_prefix("test result: ") {
        counts
    } else if plain.split(' ').count() <= 3 && plain.starts_with(|c: char| c.is_ascii_digit()) {
        plain
    } else {
        return Count::default();
    };
    let words: Vec<&str> = counts.split([' ', ',', ';']).filter(|word| !word.is_empty()).collect();
    let mut count = Count::default();
    for pair in words.windows(2) {
        let Ok(number) = pair[0].parse::<u32>() else { continue };
        match pair[1] {
            "passed" | "flaky" => count.passed += number,
            "failed" | "timed" => count.failed += number,
            "skipped" | "ignored" => count.skipped += number,
            _ => {}
        }
    }
    count
}

/// Node's runner names what it counts before the number.
fn of_node(line: &str) -> Option<Count> {
    let (word, number) = line.strip_prefix("# ")?.split_once(' ')?;
    let number = number.parse().ok()?;
    match word {
        "pass" => Some(Count { passed: number, ..Count::default() }),
        "fail" | "cancelled" => Some(Count { failed: number, ..Count::default() }),
        "skipped" | "todo" => Some(Count { skipped: number, ..Count::default() }),
        _ => None,
    }
}

fn without_colour(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            chars.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_counted_and_others_are_not() {
        for (line, passed, failed, skipped) in [
            ("     Summary [   7.700s] 14 tests run: 14 passed, 1 skipped\n", 14, 0, 1),
            (
                "Summary [ 1s] 9 tests run: 5 passed (1 slow), 3 failed, 1 timed out, 2 skipped",
                5,
                4,
                2,
            ),
            (
                "test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out",
                3,
                2,
                1,
            ),
            ("  \u{1b}[32m12 passed\u{1b}[39m (30.1s)\n", 12, 0, 0),
            ("  1 failed\n", 0, 1, 0),
            ("  1 flaky\n", 1, 0, 0),
            ("# tests 14", 0, 0, 0),
            ("# pass 14", 14, 0, 0),
            ("# fail 1", 0, 1, 0),
            ("# skipped 2", 0, 0, 2),
            ("the worker saw 3 failed attempts", 0, 0, 0),
            ("5 attempts failed", 0, 0, 0),
        ] {
            assert_eq!(count(line), Count { passed, failed, skipped }, "{line}");
        }
    }
}

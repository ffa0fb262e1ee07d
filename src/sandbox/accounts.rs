//! The people of the sandbox: few, fixed, and the same in every realm.

/// One person who can consent.
#[derive(Debug, PartialEq, Eq)]
pub struct Account {
    /// The stable identifier: `sub`.
    pub sub: &'static str,
    pub name: &'static str,
    pub email: &'static str,
}

/// The password of everyone, for the one dialect that has a password grant.
pub const PASSWORD: &str = "sandbox";

pub static ACCOUNTS: [Account; 3] = [
    Account { sub: "acc_a11ce", name: "Alice Adler", email: "alice@example.com" },
    Account { sub: "acc_b0b", name: "Bob Brandt", email: "bob@example.com" },
    Account { sub: "acc_ca701", name: "Carol Castro", email: "carol@example.com" },
];

/// Finds an account by its address, the part before the `@`, or its `sub`.
pub fn find(who: &str) -> Option<&'static Account> {
    ACCOUNTS.iter().find(|account| {
        account.sub == who
            || account.email.eq_ignore_ascii_case(who)
            || account.email.split('@').next() == Some(who)
    })
}

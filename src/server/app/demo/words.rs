//! What sample connections are called.

pub const GIVEN: [&str; 32] = [
    "Amara", "Anders", "Beatriz", "Bilal", "Chiara", "Daan", "Efua", "Emil", "Farah", "Gwen",
    "Hana", "Henrik", "Ines", "Ivo", "Jonas", "Kalina", "Lars", "Leila", "Mateo", "Mira", "Nadia",
    "Noor", "Oskar", "Priya", "Quinn", "Rosa", "Sami", "Tove", "Umar", "Vera", "Yara", "Zoe",
];

pub const FAMILY: [&str; 32] = [
    "Adeyemi",
    "Bakker",
    "Castillo",
    "Dahl",
    "Eriksen",
    "Fontana",
    "Garcia",
    "Haddad",
    "Ivanova",
    "Jansen",
    "Keller",
    "Lindqvist",
    "Moreau",
    "Nakamura",
    "Okafor",
    "Petrov",
    "Quist",
    "Rossi",
    "Schmidt",
    "Tanaka",
    "Ueda",
    "Visser",
    "Weber",
    "Xu",
    "Yilmaz",
    "Zeman",
    "Almeida",
    "Brandt",
    "Cohen",
    "Duarte",
    "El-Sayed",
    "Fischer",
];

/// What the connection is for.
pub const PURPOSE: [&str; 16] = [
    "calendar",
    "mailbox",
    "files",
    "contacts",
    "box office",
    "ledger",
    "invoices",
    "tickets",
    "storefront",
    "help desk",
    "campaigns",
    "repositories",
    "payroll",
    "warehouse",
    "reports",
    "bookings",
];

pub const TAGS: [&str; 10] =
    ["berlin", "oslo", "lisbon", "pilot", "vip", "nightly", "finance", "support", "legacy", "emea"];

/// Where accounts have their mailboxes; reserved by RFC 2606, so nobody's.
pub const DOMAIN: [&str; 4] =
    ["north.example", "harbour.example", "atelier.example", "example.org"];

/// What a provider says when it gives no token for a while.
pub const TROUBLE: [&str; 4] = [
    "The service is temporarily unavailable.",
    "Too many requests.",
    "upstream connect error",
    "Please try again later.",
];

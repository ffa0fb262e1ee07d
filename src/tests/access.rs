//! Who may do what: every page, every server function and every call of the API, as nobody, as each
//! role, and with a key of each scope. What has no row here fails the test.

mod api;
mod pages;
mod rpc;

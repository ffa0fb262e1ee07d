//! English.

use super::{Ending, Texts};

pub static TEXTS: Texts = Texts {
    language: "English",
    day: "{day}",
    months: [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    title: "Reconnect {service}",
    title_first: "Connect {service}",
    needs_consent: "The connection to {service} needs your consent again.",
    needs_first: "A connection to {service} is being set up, and it needs your consent.",
    needs_anew: "The connection to {service} works, and you are asked for your consent anew.",
    by_page: "You will sign in there and be asked to allow access. Your password is entered there and \
              nowhere else.",
    by_code: "You will be given a code and type it where you are signed in there, on any device. Your \
              password is entered there and nowhere else.",
    which_account: "Use this account",
    which_account_help: "Some of it is hidden, since a link may go astray. With another account \
                         nothing is changed.",
    any_account: "The account that you sign in with at {service} is the one that will be connected.",
    once: "The link works once. Nothing is changed until you allow it.",
    go_on: "Continue to {service}",
    go_on_again: "Try again with the right account",
    try_again: "Try again at {service}",
    get_code: "Get a code",
    get_code_again: "Get another code",
    code_where: "On any device, open this address and type the code:",
    code_or: "Open the address with the code in it, and compare the two",
    code_until: "The code works until {until}. This page says when it is done.",
    code_reload: "Look again",
    on_the_way: "On the way …",
    go_now: "Go there now",
    help: "Questions? Ask {contact}.",
    done: Ending {
        title: "It worked",
        text: "The connection is alive. You can close this page; nothing more is needed from you.",
        well: true,
    },
    wrong_account: Ending {
        title: "That was another account",
        text: "You signed in with a different account than the one this connection belongs to, so \
               nothing was changed. Sign out of that service, or use a private window, and try again \
               with the right account.",
        well: false,
    },
    denied: Ending {
        title: "Access was not given",
        text: "The service says that access was declined, so nothing was changed. If that was a \
               slip, try again and accept. If you may not accept, ask whoever manages the account.",
        well: false,
    },
    missing_scope: Ending {
        title: "A permission is missing",
        text: "You let us in, but without one of the permissions that the connection needs, so \
               nothing was changed. Try again and leave every permission ticked.",
        well: false,
    },
    already_connected: Ending {
        title: "This account is connected already",
        text: "You let us in, but the service gave us what another connection of ours has already. \
               Nothing was changed and nothing was lost. Tell whoever sent you the link; nothing more \
               is needed from you.",
        well: false,
    },
    failed: Ending {
        title: "It did not work this time",
        text: "The service could not finish the request. Nothing was changed. Try again in a few \
               minutes; if it goes on failing, tell whoever sent you the link.",
        well: false,
    },
    took_too_long: Ending {
        title: "It took too long",
        text: "The time for giving consent ran out, or the page was opened in another browser. \
               Nothing was changed. Try again, in one browser.",
        well: false,
    },
    used: Ending {
        title: "This link has been used",
        text: "Each link works once. If the connection was brought back, nothing more is needed from \
               you. If not, ask whoever sent it for another one.",
        well: true,
    },
    expired: Ending {
        title: "This link has expired",
        text: "Links work for a few days only. Ask whoever sent it for another one.",
        well: false,
    },
    replaced: Ending {
        title: "There is a newer link",
        text: "Another link was made after this one, and only the newest works. Open the one that you \
               were sent last, or ask whoever sent it.",
        well: false,
    },
    revoked: Ending {
        title: "This link was called off",
        text: "Whoever sent it has called it off, so it works no longer. Nothing was changed. Ask them if \
               you expected it to work.",
        well: false,
    },
    not_now: Ending {
        title: "Not just now",
        text: "Something has to be put right on our side first, so your consent could not be used. Nothing \
               is wrong with your account. Open the link again later, or ask whoever sent it when that \
               makes sense.",
        well: false,
    },
    unknown: Ending {
        title: "This link is not known",
        text: "It may have been cut off when it was copied. Copy the whole link again, or ask whoever \
               sent it for another one.",
        well: false,
    },
    being_stored: Ending {
        title: "You have let us in",
        text: "Keeping that safe takes longer than usual just now. It goes on by itself, and you may \
               close this page; you need not do it again.",
        well: true,
    },
    spent: Ending {
        title: "This address works no longer",
        text: "Each address works once, for half an hour, and only in the browser that opened it first. \
               If you have let us in there, nothing more is needed. If not, go on in that browser, or \
               open the link that you were sent once more, or ask whoever sent it for a new one.",
        well: false,
    },
    mail_subject: "Please reconnect {service}",
    mail_subject_first: "Please connect {service}",
    mail_greeting: "Hello,",
    mail_house: "{house} asks you for this.",
    mail_body: "The connection to {service} has stopped working and needs your consent again.",
    mail_body_first: "A connection to {service} is being set up and needs your consent.",
    mail_body_anew: "The connection to {service} works, and needs your consent anew to go on as it should.",
    mail_way: "Please open the link below, sign in at {service} and allow access.",
    mail_account: "The account is “{account}”.",
    mail_once: "The link works once, until {until}. You enter your password at {service} and nowhere \
                else.",
};

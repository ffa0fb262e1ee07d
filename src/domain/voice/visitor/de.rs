//! German.

use super::{Ending, Texts};

pub static TEXTS: Texts = Texts {
    language: "Deutsch",
    day: "{day}.",
    months: [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
    title: "{service} neu verbinden",
    title_first: "{service} verbinden",
    needs_consent: "Die Verbindung zu {service} braucht erneut Ihre Zustimmung.",
    needs_first: "Eine Verbindung zu {service} wird eingerichtet und braucht Ihre Zustimmung.",
    needs_anew: "Die Verbindung zu {service} besteht; Sie werden noch einmal um Ihre Zustimmung gebeten.",
    by_page: "Sie melden sich dort an und werden gefragt, ob Sie den Zugriff erlauben. Ihr Passwort \
              geben Sie nur dort ein.",
    by_code: "Sie erhalten einen Code und geben ihn dort ein, wo Sie angemeldet sind, auf einem \
              beliebigen Gerät. Ihr Passwort geben Sie nur dort ein.",
    which_account: "Verwenden Sie dieses Konto",
    which_account_help: "Ein Teil ist verdeckt, denn ein Link kann in falsche Hände geraten. Mit \
                         einem anderen Konto wird nichts geändert.",
    any_account: "Verbunden wird das Konto, mit dem Sie sich bei {service} anmelden.",
    once: "Der Link gilt einmal. Bis Sie zustimmen, wird nichts geändert.",
    go_on: "Weiter zu {service}",
    go_on_again: "Mit dem richtigen Konto noch einmal versuchen",
    try_again: "Bei {service} noch einmal versuchen",
    get_code: "Code anfordern",
    get_code_again: "Neuen Code anfordern",
    code_where: "Öffnen Sie auf einem beliebigen Gerät diese Adresse und geben Sie den Code ein:",
    code_or: "Adresse mit eingesetztem Code öffnen und beide vergleichen",
    code_until: "Der Code gilt bis {until}. Diese Seite meldet, wenn alles erledigt ist.",
    code_reload: "Noch einmal nachsehen",
    on_the_way: "Einen Augenblick …",
    go_now: "Jetzt dorthin gehen",
    help: "Fragen? Wenden Sie sich an {contact}.",
    done: Ending {
        title: "Es hat geklappt",
        text: "Die Verbindung besteht. Sie können diese Seite schließen; mehr ist nicht zu \
               tun.",
        well: true,
    },
    wrong_account: Ending {
        title: "Das war ein anderes Konto",
        text: "Sie haben sich mit einem anderen Konto angemeldet als dem, zu dem diese Verbindung \
               gehört; deshalb wurde nichts geändert. Melden Sie sich bei dem Dienst ab oder nehmen \
               Sie ein privates Fenster, und versuchen Sie es noch einmal mit dem richtigen Konto.",
        well: false,
    },
    denied: Ending {
        title: "Der Zugriff wurde nicht erlaubt",
        text: "Der Dienst meldet, dass der Zugriff abgelehnt wurde; deshalb wurde nichts geändert. \
               War das ein Versehen, versuchen Sie es noch einmal und stimmen Sie zu. Dürfen Sie \
               nicht zustimmen, fragen Sie, wer das Konto verwaltet.",
        well: false,
    },
    missing_scope: Ending {
        title: "Eine Berechtigung fehlt",
        text: "Sie haben zugestimmt, aber ohne eine der Berechtigungen, die die Verbindung braucht; \
               deshalb wurde nichts geändert. Versuchen Sie es noch einmal und lassen Sie alle \
               Häkchen gesetzt.",
        well: false,
    },
    already_connected: Ending {
        title: "Dieses Konto ist schon verbunden",
        text: "Sie haben zugestimmt, aber der Dienst hat uns gegeben, was schon eine andere \
               Verbindung hat. Es wurde nichts geändert, und nichts ging verloren. Sagen Sie es der \
               Person, die Ihnen den Link geschickt hat; mehr ist nicht zu tun.",
        well: false,
    },
    failed: Ending {
        title: "Diesmal hat es nicht geklappt",
        text: "Der Dienst konnte die Anfrage nicht abschließen. Es wurde nichts geändert. Versuchen \
               Sie es in ein paar Minuten noch einmal; klappt es weiterhin nicht, sagen Sie es der \
               Person, die Ihnen den Link geschickt hat.",
        well: false,
    },
    took_too_long: Ending {
        title: "Es hat zu lange gedauert",
        text: "Die Zeit für die Zustimmung ist abgelaufen, oder die Seite wurde in einem anderen \
               Browser geöffnet. Es wurde nichts geändert. Versuchen Sie es noch einmal, in \
               einem einzigen Browser.",
        well: false,
    },
    used: Ending {
        title: "Dieser Link wurde schon benutzt",
        text: "Jeder Link gilt einmal. Besteht die Verbindung wieder, ist nichts mehr zu tun. Wenn \
               nicht, bitten Sie um einen neuen Link.",
        well: true,
    },
    expired: Ending {
        title: "Dieser Link ist abgelaufen",
        text: "Links gelten nur einige Tage. Bitten Sie um einen neuen Link.",
        well: false,
    },
    replaced: Ending {
        title: "Es gibt einen neueren Link",
        text: "Nach diesem Link wurde ein anderer erstellt, und nur der neueste gilt. Öffnen Sie den, den \
               Sie zuletzt erhalten haben, oder fragen Sie nach.",
        well: false,
    },
    revoked: Ending {
        title: "Dieser Link wurde zurückgezogen",
        text: "Wer ihn geschickt hat, hat ihn zurückgezogen; er gilt nicht mehr. Es wurde nichts geändert. \
               Fragen Sie nach, wenn Sie ihn noch brauchen.",
        well: false,
    },
    not_now: Ending {
        title: "Im Augenblick geht es nicht",
        text: "Bei uns muss erst etwas in Ordnung gebracht werden; bis dahin nützt Ihre Zustimmung nichts. \
               Mit Ihrem Konto ist alles in Ordnung. Öffnen Sie den Link später noch einmal, oder fragen \
               Sie, wann es so weit ist.",
        well: false,
    },
    unknown: Ending {
        title: "Dieser Link ist nicht bekannt",
        text: "Vielleicht wurde er beim Kopieren abgeschnitten. Kopieren Sie ihn noch einmal ganz, \
               oder bitten Sie um einen neuen Link.",
        well: false,
    },
    being_stored: Ending {
        title: "Sie haben zugestimmt",
        text: "Das zu speichern dauert gerade länger als sonst. Es geht von selbst weiter, und Sie \
               können diese Seite schließen; noch einmal zustimmen müssen Sie nicht.",
        well: true,
    },
    spent: Ending {
        title: "Diese Adresse gilt nicht mehr",
        text: "Jede Adresse gilt einmal, eine halbe Stunde lang und nur in dem Browser, der sie zuerst \
               geöffnet hat. Haben Sie dort zugestimmt, ist nichts mehr zu tun. Wenn nicht, machen Sie \
               in jenem Browser weiter, öffnen Sie Ihren Link noch einmal, oder bitten Sie um einen \
               neuen.",
        well: false,
    },
    mail_subject: "Bitte {service} neu verbinden",
    mail_subject_first: "Bitte {service} verbinden",
    mail_greeting: "Guten Tag!",
    mail_house: "{house} bittet Sie darum.",
    mail_body: "Die Verbindung zu {service} ist unterbrochen und braucht erneut Ihre Zustimmung.",
    mail_body_first: "Eine Verbindung zu {service} wird eingerichtet und braucht Ihre Zustimmung.",
    mail_body_anew: "Die Verbindung zu {service} besteht, braucht aber noch einmal Ihre Zustimmung, damit sie so \
                     weitergeht, wie sie soll.",
    mail_way: "Bitte öffnen Sie den Link unten, melden Sie sich bei {service} an und erlauben Sie den Zugriff.",
    mail_account: "Gemeint ist das Konto „{account}“.",
    mail_once: "Der Link gilt einmal, bis zum {until}. Ihr Passwort geben Sie nur bei {service} ein.",
};

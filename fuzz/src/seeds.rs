//! Writes what the fuzzer begins with: each preset's documented answers, and echoes of what was
//! sent, into the folder that is named.

use std::{fs, path::PathBuf};

use rooms::{cases, input::Input};

const ODD: [(u16, &str, &str); 12] = [
    (400, "content-type: application/json", r#"{"error":"invalid_grant","error_description":"$jR of $jS is gone"}"#),
    (400, "", r#"{"error":"$jR","error_description":"$uS $lR $hS $tR $wR $wS $kS"}"#),
    (401, "www-authenticate: Basic realm=x", r#"{"error":"invalid_client","error_description":"Basic $bS $eS"}"#),
    (400, "content-type: application/x-www-form-urlencoded", "error=invalid_grant&error_description=$fR+$pS"),
    (429, "retry-after: Fri, 20 Nov 2026 12:05:00 GMT", "<html>"),
    (503, "retry-after: 120", ""),
    (200, "", r#"{"access_token":"$J{"exp":253402300799,"sub":"a"}$","refresh_token":"$J{"exp":-1}$","id_token":"$J{"iss":"https://issuer.example","aud":["the-client-id"],"sub":"user-1","exp":253402300799,"nonce":"n"}$"}"#),
    (200, "", r#"{"access_token":"a","expires_in":1797854400000,"refresh_expires_in":"2027-01-31 12:00:00","scope":["a","b"],"token_type":"bearer"}"#),
    (200, "content-type: text/plain", "access_token=a&refresh_token=b&expires_in=5&scope=a,b"),
    (200, "", r#"{"ok":false,"error":"invalid_refresh_token"}"#),
    (200, "", r#"{"data":{"access_token":"a","expires_in":1e300}}"#),
    (302, "location: https://elsewhere.example", ""),
];

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).expect("a folder"));
    fs::create_dir_all(&folder)?;
    for (at, case) in cases().iter().enumerate() {
        let json = "content-type: application/json";
        let mut seeds = vec![(200, json, case.sample.as_slice())];
        seeds.extend(case.refusals.iter().map(|(status, body)| (*status, json, body.as_bytes())));
        seeds.extend(ODD.iter().map(|(status, head, body)| (*status, *head, body.as_bytes())));
        for (nth, (status, head, body)) in seeds.into_iter().enumerate() {
            let seed = Input::write(at, nth % 2 == 0, status, head, body);
            fs::write(folder.join(format!("{}-{nth}", case.profile.slug)), seed)?;
        }
    }
    Ok(())
}

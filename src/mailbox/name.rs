//! Names of folders as IMAP writes them: modified UTF-7 (RFC 3501 5.1.3).

use data_encoding::BASE64_NOPAD;

/// `Отправленные` as `&BB4...-`; plain names stay as they are.
pub(super) fn encoded(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut shifted: Vec<u8> = Vec::new();
    for letter in name.chars() {
        if (' '..='~').contains(&letter) {
            shift(&mut text, &mut shifted);
            text.push(letter);
            if letter == '&' {
                text.push('-');
            }
        } else {
            let mut units = [0; 2];
            shifted.extend(letter.encode_utf16(&mut units).iter().flat_map(|unit| unit.to_be_bytes()));
        }
    }
    shift(&mut text, &mut shifted);
    text
}

fn shift(text: &mut String, shifted: &mut Vec<u8>) {
    if !shifted.is_empty() {
        text.push('&');
        text.push_str(&BASE64_NOPAD.encode(shifted).replace('/', ","));
        text.push('-');
        shifted.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn names_are_written_as_the_rfc_does() {
        // The first is the RFC's own example.
        for (name, written) in [
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("INBOX", "INBOX"),
            ("Sent & kept", "Sent &- kept"),
            ("Отправленные", "&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-"),
            ("Gesendet ü", "Gesendet &APw-"),
        ] {
            assert_eq!(encoded(name), written);
        }
    }
}

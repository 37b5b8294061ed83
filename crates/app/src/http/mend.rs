//! Escapes that JSON allows and a text can't hold, replaced in place by U+FFFD before a document is parsed.
//!
//! Python writes a byte of a file name that is no UTF-8 as a lone surrogate (`\udce4`), which serde_json refuses, and
//! databases refuse NUL. Neither may cost a result. All escapes of one code unit have the same length, so nothing moves.

/// What is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replace {
    /// Lone surrogates.
    Surrogates,
    /// Lone surrogates and NUL.
    SurrogatesAndNul,
}

/// The length of `\uXXXX`.
const UNIT: usize = 6;

/// The code unit of the escape at the start of `bytes`, if there is one.
fn unit(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Replaces what a text can't hold.
pub(super) fn mend(bytes: &mut [u8], what: Replace) {
    let mut at = 0;
    while let Some(next) = bytes[at..].iter().position(|b| *b == b'\\') {
        at += next;
        let bad = match unit(&bytes[at..]) {
            None => {
                // A backslash and what it escapes; at the end of a text that was cut off it stands alone.
                at = (at + 2).min(bytes.len());
                continue;
            }
            Some(0xD800..=0xDBFF) if matches!(unit(&bytes[at + UNIT..]), Some(0xDC00..=0xDFFF)) => {
                at += 2 * UNIT;
                continue;
            }
            Some(0xD800..=0xDFFF) => true,
            Some(0) => what == Replace::SurrogatesAndNul,
            Some(_) => false,
        };
        if bad {
            bytes[at + 2..at + UNIT].copy_from_slice(b"fffd");
        }
        at += UNIT;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mended(text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        mend(&mut bytes, Replace::SurrogatesAndNul);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn lone_surrogates_and_nul_are_replaced_and_nothing_else() {
        for (text, expected) in [
            (r#""M\udce4rz""#, r#""M\ufffdrz""#),
            (r#""\ud83e\udd8b""#, r#""\ud83e\udd8b""#),
            (r#""\uD83E\uDD8B\uDD8B""#, r#""\uD83E\uDD8B\ufffd""#),
            (r#""\ud83e\ud83e\udd8b""#, r#""\ufffd\ud83e\udd8b""#),
            (r#""\ud83e""#, r#""\ufffd""#),
            (r#""\ud83e\n""#, r#""\ufffd\n""#),
            (r#""a\u0000b""#, r#""a\ufffdb""#),
            (r#""\\udce4 \\u0000""#, r#""\\udce4 \\u0000""#),
            (r#""\\\udce4""#, r#""\\\ufffd""#),
            (r#""é \u00e9 \" \/""#, r#""é \u00e9 \" \/""#),
            (r#""\udc"#, r#""\udc"#),
            (r#""\"#, r#""\"#),
            (r#""\u+123""#, r#""\u+123""#),
        ] {
            assert_eq!(mended(text), expected);
        }
        let mut kept = br#""\u0000\udfff""#.to_vec();
        mend(&mut kept, Replace::Surrogates);
        assert_eq!(kept, br#""\u0000\ufffd""#);
    }

    proptest! {
        #[test]
        fn any_units_become_a_text_and_a_proper_one_stays(units in proptest::collection::vec(any::<u16>(), 0..20)) {
            let escaped: String = units.iter().map(|u| format!("\\u{u:04x}")).collect();
            let read: String = serde_json::from_str(&mended(&format!("\"{escaped}\""))).unwrap();
            let expected = String::from_utf16_lossy(&units).replace('\0', "\u{fffd}");
            prop_assert_eq!(read, expected);
        }

        #[test]
        fn no_bytes_make_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            mend(&mut bytes, Replace::SurrogatesAndNul);
        }
    }
}

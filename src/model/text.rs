//! Text that others wrote, made fit for a terminal and a log.

/// Control characters and marks that turn the direction of text become `�`: nothing that a row or a
/// provider says may move a cursor, set a colour or hide what stands beside it.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if is_unprintable(c) { '\u{fffd}' } else { c }).collect()
}

fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(printable("Анна 🎄 \u{1b}[31mred\u{9b}2J\r\n\u{202e}"), "Анна 🎄 �[31mred�2J���");
    }
}

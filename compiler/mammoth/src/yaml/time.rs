//! Dates and moments: YAML 1.1's timestamps as Python's `date` and `datetime` hold and write them.

use std::fmt;

/// A date, or a date with a time of day, or that with an offset from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    year: u16,
    month: u8,
    day: u8,
    clock: Option<Clock>,
}

/// A time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Clock {
    hour: u8,
    minute: u8,
    second: u8,
    micro: u32,
    /// Minutes east of UTC.
    zone: Option<i16>,
}

impl Time {
    /// Whether it is a date without a time of day.
    pub fn is_date(self) -> bool {
        self.clock.is_none()
    }

    /// Whether it has an offset from UTC.
    pub fn is_zoned(self) -> bool {
        self.clock.is_some_and(|clock| clock.zone.is_some())
    }

    /// Reads a timestamp that [`looks_like`] one; none when there is no such day or hour.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = Rest(text);
        let year = rest.number(4, 4)?;
        rest.take('-')?;
        let month = rest.number(1, 2)?;
        rest.take('-')?;
        let day = rest.number(1, 2)?;
        let day_exists =
            (1..=12).contains(&month) && day >= 1 && day <= days(year, month) && year >= 1;
        let clock = if rest.0.is_empty() { None } else { Some(clock(&mut rest)?) };
        day_exists.then_some(Self {
            year: u16::try_from(year).ok()?,
            month: u8::try_from(month).ok()?,
            day: u8::try_from(day).ok()?,
            clock,
        })
    }
}

fn clock(rest: &mut Rest<'_>) -> Option<Clock> {
    if rest.take('T').or_else(|| rest.take('t')).is_none() {
        rest.blanks();
    }
    let hour = rest.number(1, 2)?;
    rest.take(':')?;
    let minute = rest.number(2, 2)?;
    rest.take(':')?;
    let second = rest.number(2, 2)?;
    let micro = if rest.take('.').is_some() { rest.micro() } else { 0 };
    rest.blanks();
    let zone = if rest.0.is_empty() { None } else { Some(zone(rest)?) };
    (hour < 24 && minute < 60 && second < 60).then_some(Clock {
        hour: u8::try_from(hour).ok()?,
        minute: u8::try_from(minute).ok()?,
        second: u8::try_from(second).ok()?,
        micro,
        zone,
    })
}

/// An offset in minutes; none when it is no offset or beyond a day.
fn zone(rest: &mut Rest<'_>) -> Option<i16> {
    if rest.take('Z').is_some() {
        return Some(0);
    }
    let sign = if rest.take('-').is_some() { -1 } else { rest.take('+').map(|()| 1)? };
    let hours = rest.number(1, 2)?;
    let minutes = if rest.take(':').is_some() { rest.number(2, 2)? } else { 0 };
    let total = i16::try_from(hours * 60 + minutes).ok()?;
    (total < 24 * 60).then_some(sign * total)
}

fn days(year: u32, month: u32) -> u32 {
    let leap = (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// What is left to be read.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn take(&mut self, c: char) -> Option<()> {
        self.0 = self.0.strip_prefix(c)?;
        Some(())
    }

    fn blanks(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    /// A number of so many digits.
    fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        let digits = self.0.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        if digits < least { None } else { number.parse().ok() }
    }

    /// A fraction of a second, cut at a millionth.
    fn micro(&mut self) -> u32 {
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (fraction, rest) = self.0.split_at_checked(digits).unwrap_or((self.0, ""));
        self.0 = rest;
        let cut = fraction.get(..6).unwrap_or(fraction);
        format!("{cut:0<6}").parse().unwrap_or_default()
    }
}

/// Whether a plain scalar is a timestamp of YAML 1.1.
pub(super) fn looks_like(text: &str) -> bool {
    let mut rest = Rest(text);
    date_shape(&mut rest).is_some_and(|is_full| {
        // A date alone has two digits everywhere.
        if rest.0.is_empty() { is_full } else { clock_shape(&mut rest).is_some() }
    })
}

/// Reads past a date: whether month and day have two digits.
fn date_shape(rest: &mut Rest<'_>) -> Option<bool> {
    let whole = rest.0.len();
    rest.number(4, 4)?;
    rest.take('-')?;
    rest.number(1, 2)?;
    rest.take('-')?;
    rest.number(1, 2)?;
    Some(whole - rest.0.len() == "yyyy-mm-dd".len())
}

/// Reads past a time of day and an offset, to the end.
fn clock_shape(rest: &mut Rest<'_>) -> Option<()> {
    let before = rest.0.len();
    if rest.take('T').or_else(|| rest.take('t')).is_none() {
        rest.blanks();
    }
    (rest.0.len() < before).then_some(())?;
    rest.number(1, 2)?;
    rest.take(':')?;
    rest.number(2, 2)?;
    rest.take(':')?;
    rest.number(2, 2)?;
    if rest.take('.').is_some() {
        rest.micro();
    }
    if rest.0.is_empty() {
        return Some(());
    }
    rest.blanks();
    if rest.take('Z').is_none() {
        rest.take('-').or_else(|| rest.take('+'))?;
        rest.number(1, 2)?;
        if rest.take(':').is_some() {
            rest.number(2, 2)?;
        }
    }
    rest.0.is_empty().then_some(())
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)?;
        let Some(clock) = self.clock else { return Ok(()) };
        write!(f, " {:02}:{:02}:{:02}", clock.hour, clock.minute, clock.second)?;
        if clock.micro > 0 {
            write!(f, ".{:06}", clock.micro)?;
        }
        let Some(zone) = clock.zone else { return Ok(()) };
        let sign = if zone < 0 { '-' } else { '+' };
        write!(f, "{sign}{:02}:{:02}", zone.unsigned_abs() / 60, zone.unsigned_abs() % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_read_and_written_as_by_python() {
        for (text, written) in [
            ("2001-12-14", "2001-12-14"),
            ("2001-12-14t21:59:43.10-05:00", "2001-12-14 21:59:43.100000-05:00"),
            ("2001-12-14 21:59:43.1 -5", "2001-12-14 21:59:43.100000-05:00"),
            ("2001-1-4 1:59:43Z", "2001-01-04 01:59:43+00:00"),
            ("2001-12-15 2:59:43.12345678", "2001-12-15 02:59:43.123456"),
        ] {
            assert!(looks_like(text), "{text}");
            assert_eq!(Time::parse(text).unwrap().to_string(), written);
        }
        for text in ["2001-1-14", "2001-12-1", "2001-12", "2001-12-14x", "2001-12-14 1:2:3", "a"] {
            assert!(!looks_like(text), "{text}");
        }
        for text in ["2001-02-29", "2001-13-01", "0000-01-01", "2001-01-01 25:00:00"] {
            assert!(looks_like(text) && Time::parse(text).is_none(), "{text}");
        }
    }
}

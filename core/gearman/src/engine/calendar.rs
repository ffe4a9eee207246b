//! Calendars: the five fields of cron, and when they come round, in UTC.
//!
//! Fields are `*`, a number, a range `a-b`, each with a step `/n`, and lists of these. Months and
//! days of the week also go by the first three letters of their English names. As in cron, a day
//! fits if the day of the month *or* that of the week does, unless one of the two fields begins
//! with `*`; then both have to.
//!
//! Days of the week count as in the protocol: 0 is Monday, and 6 is Sunday. Cron's own count begins
//! with Sunday; names are the same in both.
//!
//! Not modelled: time zones, leap seconds, `@daily` and the like, years.

/// Fields of a calendar: minute, hour, day of the month, month, day of the week.
pub const FIELDS: usize = 5;

/// The Gregorian calendar repeats itself after so many years, days of the week included.
const CYCLE_YEARS: u64 = 400;
const DAY_SECONDS: u64 = 86_400;
/// Later than this, seconds are no dates: the year 60,000 or so.
const SECONDS_MAX: u64 = 1 << 41;

const MONTHS: &[&str] =
    &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: &[&str] = &["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Times that come round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether one of the fields for days begins with `*`: then both have to fit.
    both_days: bool,
}

impl Calendar {
    /// Reads the fields. None if they are not understood, or name a time that never comes.
    pub fn parse(words: [&[u8]; FIELDS]) -> Option<Self> {
        let [minutes, hours, days, months, weekdays] = words;
        let calendar = Self {
            minutes: field(minutes, 0, 59, &[])?,
            hours: field(hours, 0, 23, &[])?,
            days: field(days, 1, 31, &[])?,
            months: field(months, 1, 12, MONTHS)?,
            weekdays: field(weekdays, 0, 6, WEEKDAYS)?,
            both_days: days.starts_with(b"*") || weekdays.starts_with(b"*"),
        };
        calendar.next(0).map(|_| calendar)
    }

    /// The first second since 1970 after `after` at which a time comes; none if dates end before.
    pub fn next(&self, after: u64) -> Option<u64> {
        if after > SECONDS_MAX {
            return None;
        }
        let from = (after / 60 + 1) * 60;
        let (mut year, mut month, mut day) = civil(from / DAY_SECONDS);
        let last_year = year + CYCLE_YEARS;
        let mut minute = from % DAY_SECONDS / 60;
        while year <= last_year {
            if has(self.months, month) {
                while day <= days_of(year, month) {
                    let days = days_since_1970(year, month, day);
                    if let Some(minute) =
                        self.on_day(days, day).then(|| self.from(minute)).flatten()
                    {
                        return Some(days * DAY_SECONDS + minute * 60);
                    }
                    (day, minute) = (day + 1, 0);
                }
            }
            (day, minute) = (1, 0);
            (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        }
        None
    }

    fn on_day(&self, days_since_1970: u64, day: u64) -> bool {
        // 1970 began on a Thursday.
        let weekday = (days_since_1970 + 3) % 7;
        let (month_fits, week_fits) = (has(self.days, day), has(self.weekdays, weekday));
        if self.both_days { month_fits && week_fits } else { month_fits || week_fits }
    }

    /// The first minute of a day from this one on.
    fn from(&self, minute: u64) -> Option<u64> {
        (minute..24 * 60).find(|at| has(self.hours, at / 60) && has(self.minutes, at % 60))
    }
}

const fn has(set: u64, number: u64) -> bool {
    set >> number & 1 == 1
}

/// The set of numbers that a field names, as bits.
fn field(text: &[u8], least: u64, most: u64, names: &[&str]) -> Option<u64> {
    const FIELD_BYTES_MAX: usize = 256;
    if text.len() > FIELD_BYTES_MAX {
        return None;
    }
    text.split(|&byte| byte == b',').try_fold(0, |set, part| {
        let mut halves = part.splitn(2, |&byte| byte == b'/');
        let range = halves.next()?;
        let step = halves.next().map_or(Some(1), digits)?;
        let (from, to) = if range == b"*" {
            (least, most)
        } else {
            let mut ends = range.splitn(2, |&byte| byte == b'-');
            let from = number(ends.next()?, least, names)?;
            match ends.next() {
                Some(to) => (from, number(to, least, names)?),
                // `5/10` is `5-59/10`, as cron has it.
                None if part.len() > range.len() => (from, most),
                None => (from, from),
            }
        };
        if step == 0 || from < least || from > to || to > most {
            return None;
        }
        let numbers = (from..=to).step_by(usize::try_from(step).ok()?);
        Some(numbers.fold(set, |set, number| set | 1 << number))
    })
}

fn number(text: &[u8], least: u64, names: &[&str]) -> Option<u64> {
    let named = (least..).zip(names).find(|(_, name)| name.as_bytes().eq_ignore_ascii_case(text));
    named.map(|(number, _)| number).or_else(|| digits(text))
}

fn digits(text: &[u8]) -> Option<u64> {
    const DIGITS_MAX: usize = 4;
    let fits = (1..=DIGITS_MAX).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    fits.then(|| text.iter().fold(0, |number, byte| number * 10 + u64::from(byte - b'0')))
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_of(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date: years are counted from March, so that the day that some years
/// lack is the last.
const fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

/// Year, month and day of the day that is so many days after 1970-01-01.
const fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests;

//! Calendars of cron.

/// Fields of a calendar: minute, hour, day of the month, month, day of the week.
pub const FIELDS: usize = 5;

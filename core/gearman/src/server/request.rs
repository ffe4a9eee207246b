//! What packets ask for.

use super::out::Fault;
use super::tenancy::{OPTION, Standing};
use super::{Gearmand, WORK_JOBS};
use crate::engine::{
    Dialect, Grab, JobStatus, Number, Payload, Peer, Priority, Submit, When, Work,
};
use crate::packet::{Kind, View};
use crate::tenants::NOT_AUTHORIZED;
use std::borrow::Cow;
use storytime_machine::Cx;

/// Said to what a server is not asked.
const NOT_EXPECTED: Fault<'_> =
    Fault { code: "INVALID_COMMAND", danga: "server_error", text: "Command not expected" };
/// Said to an option that there is none of.
const NO_OPTION: Fault<'_> = Fault {
    code: "UNKNOWN_OPTION",
    danga: "unknown_option",
    text: "Server does not recognize given option",
};
/// Said to who has not said whose it is.
const NOT_KNOWN: Fault<'_> = Fault {
    code: NOT_AUTHORIZED,
    danga: "not_authorized",
    text: "Say who you are first: option tenant=NAME:SECRET",
};
/// Said to a credential that is nobody's.
const NO_TENANT: Fault<'_> =
    Fault { code: NOT_AUTHORIZED, danga: "not_authorized", text: "No such tenant" };
/// Said to a time for which there is no number.
const NO_TIME: Fault<'_> =
    Fault { code: "INVALID_ARGUMENT", danga: "invalid_args", text: "Epoch not understood" };
/// The last kind that the Perl server knows.
const DANGA_KIND_MAX: Kind = Kind::OptionRes;

/// Said to who speaks of a job that there never was, or that it cannot have. (What is late is not
/// told: it is no mistake, and workers in Perl die of it.)
const fn no_job(text: &'static str) -> Fault<'static> {
    Fault { code: "JOB_NOT_FOUND", danga: "not_worker", text }
}

/// What is before a NUL.
fn until_nul(argument: &[u8]) -> &[u8] {
    memchr::memchr(0, argument).map_or(argument, |end| &argument[..end])
}

/// A number as C reads it: white space, a sign, digits, and whatever follows. None if it is too
/// large; negative is zero.
fn number(argument: &[u8]) -> Option<u64> {
    let argument = argument.trim_ascii_start();
    let digits = match argument {
        [b'-', ..] => return Some(0),
        [b'+', digits @ ..] => digits,
        _ => argument,
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let mut n = digits.map(|digit| u64::from(digit - b'0'));
    n.try_fold(0u64, |n, digit| n.checked_mul(10)?.checked_add(digit))
        .filter(|n| i64::try_from(*n).is_ok())
}

/// Whether a packet costs as much as its sender named functions.
const fn looks_at_abilities(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::CanDo
            | Kind::CanDoTimeout
            | Kind::CantDo
            | Kind::ResetAbilities
            | Kind::PreSleep
            | Kind::GrabJob
            | Kind::GrabJobUniq
            | Kind::GrabJobAll
    )
}

impl Gearmand {
    /// Carries a packet out. Its data comes beside it, since that may be kept.
    pub(super) fn request(&mut self, cx: &mut Cx, from: Peer, packet: View<'_>, data: Payload<'_>) {
        if !self.phase.has_jobs() && self.turn_away(cx, from, packet.kind) {
            return;
        }
        if self.config.dialect == Dialect::Danga && packet.kind > DANGA_KIND_MAX {
            let (_, mut wire) = self.split(cx);
            return wire.error(from, NOT_EXPECTED);
        }
        if looks_at_abilities(packet.kind) {
            self.toil += self.engine.abilities_len(from) as u64;
        }
        let named = match packet.kind {
            Kind::CanDo | Kind::CantDo => self.inward(from, until_nul(packet.argument(0))),
            Kind::CanDoTimeout => self.inward(from, packet.argument(0)),
            _ => Cow::Borrowed(&[][..]),
        };
        if self.config.tenants_file.is_some()
            && self.standing(from) == Standing::Nobody
            && !matches!(packet.kind, Kind::OptionReq | Kind::EchoReq | Kind::SetClientId)
        {
            let (_, mut wire) = self.split(cx);
            return wire.error(from, NOT_KNOWN);
        }
        let (engine, mut wire) = self.split(cx);
        match packet.kind {
            Kind::GrabJob => engine.grab(&mut wire, from, Grab::Plain),
            Kind::GrabJobUniq => engine.grab(&mut wire, from, Grab::Unique),
            Kind::GrabJobAll => engine.grab(&mut wire, from, Grab::All),
            Kind::PreSleep => engine.pre_sleep(&mut wire, from),
            Kind::CanDo => engine.can_do(&mut wire, from, &named, None),
            Kind::CantDo => engine.cant_do(&mut wire, from, &named),
            Kind::ResetAbilities => engine.reset_abilities(&mut wire, from),
            Kind::CanDoTimeout => {
                let dialect = wire.dialect;
                // One too large for a number is as good as none.
                let timeout = number(packet.argument(1)).and_then(|n| dialect.timeout(n));
                engine.can_do(&mut wire, from, &named, timeout);
            }
            Kind::EchoReq => wire.put_data(from, Kind::EchoRes, [], data),
            Kind::WorkStatus
            | Kind::WorkData
            | Kind::WorkWarning
            | Kind::WorkComplete
            | Kind::WorkFail
            | Kind::WorkException => self.work(cx, from, packet, data),
            Kind::GetStatus | Kind::GetStatusUnique => self.status(cx, from, packet),
            Kind::OptionReq => self.option(cx, from, packet.argument(0)),
            Kind::SetClientId => {
                let keeps_spaces = self.config.dialect == Dialect::Gearmand;
                if let Some(session) = self.sessions.at(from.0 as usize) {
                    session.name(packet.argument(0), keeps_spaces);
                }
            }
            _ => self.submit(cx, from, packet, data),
        }
    }

    fn submit(&mut self, cx: &mut Cx, from: Peer, packet: View<'_>, data: Payload<'_>) {
        let (priority, background) = match packet.kind {
            Kind::SubmitJob | Kind::SubmitReduceJob => (Priority::Normal, false),
            Kind::SubmitJobHigh => (Priority::High, false),
            Kind::SubmitJobLow => (Priority::Low, false),
            Kind::SubmitJobBg | Kind::SubmitReduceJobBackground => (Priority::Normal, true),
            Kind::SubmitJobEpoch | Kind::SubmitJobSched => (Priority::Normal, true),
            Kind::SubmitJobHighBg => (Priority::High, true),
            Kind::SubmitJobLowBg => (Priority::Low, true),
            _ => {
                let (_, mut wire) = self.split(cx);
                return wire.error(from, NOT_EXPECTED);
            }
        };
        let when = match packet.kind {
            Kind::SubmitJobEpoch => match number(packet.argument(2)) {
                Some(0) => When::Now,
                Some(second) => When::Epoch(second),
                None => {
                    let (_, mut wire) = self.split(cx);
                    return wire.error(from, NO_TIME);
                }
            },
            Kind::SubmitJobSched => When::Calendar([2, 3, 4, 5, 6].map(|n| packet.argument(n))),
            _ => When::Now,
        };
        let splits = matches!(packet.kind, Kind::SubmitReduceJob | Kind::SubmitReduceJobBackground);
        let function = self.inward(from, packet.argument(0));
        let job = Submit {
            function: &function,
            unique: packet.argument(1),
            data,
            reducer: splits.then(|| packet.argument(2)).filter(|reducer| !reducer.is_empty()),
            priority,
            background,
            when,
        };
        cx.work(WORK_JOBS, 1);
        self.counters.submits += 1;
        self.submit_job(cx, from, &job);
    }

    /// What a worker says of a job.
    fn work(&mut self, cx: &mut Cx, from: Peer, packet: View<'_>, data: Payload<'_>) {
        let named = self.job_named(packet.argument(0));
        let work = match packet.kind {
            Kind::WorkStatus => {
                Work::Status { numerator: packet.argument(1), denominator: packet.argument(2) }
            }
            Kind::WorkData => Work::Data(data),
            Kind::WorkWarning => Work::Warning(data),
            Kind::WorkComplete => Work::Complete(data),
            Kind::WorkException => Work::Exception(data),
            _ => Work::Fail,
        };
        if let Some(number) = named {
            self.note_work(cx, from, number, &work);
        }
        let (engine, mut wire) = self.split(cx);
        let known = named.is_some_and(|number| engine.work(&mut wire, from, number, work));
        if !known {
            wire.error(
                from,
                no_job(match work {
                    Work::Data(_) | Work::Warning(_) => "Job does not exist on server",
                    Work::Exception(_) => "An exception was received for a job that does not exist",
                    _ => "Job given in work result not found",
                }),
            );
        }
    }

    /// The number of a job that there is, or was.
    pub(super) fn job_named(&self, handle: &[u8]) -> Option<Number> {
        let number = self.handles.read(until_nul(handle))?;
        (number < self.engine.next_number()).then_some(number)
    }

    fn status(&mut self, cx: &mut Cx, from: Peer, packet: View<'_>) {
        let asked = until_nul(packet.argument(0));
        let unique = packet.kind == Kind::GetStatusUnique;
        let found = match unique {
            true => {
                let standing = self.standing(from);
                let sees = |function: &[u8]| standing.sees(function).is_some();
                let found = self.engine.get_status_unique_of(asked, sees);
                self.toil += self.engine.functions_len() as u64 + u64::from(found.clients);
                found
            }
            false => {
                let number = self.handles.read(asked);
                let number = number.filter(|&number| self.sees_job(from, number));
                number.map_or_else(JobStatus::default, |number| self.engine.get_status(number))
            }
        };
        let flag = |is: bool| -> &[u8] { if is { b"1" } else { b"0" } };
        let (numerator, denominator) = (found.numerator.to_string(), found.denominator.to_string());
        let (numerator, denominator) = (numerator.as_bytes(), denominator.as_bytes());
        let (known, running) = (flag(found.known), flag(found.running));
        let (_, mut wire) = self.split(cx);
        if unique {
            let clients = found.clients.to_string();
            let all = [asked, known, running, numerator, denominator, clients.as_bytes()];
            wire.put(from, Kind::StatusResUnique, &all);
        } else {
            let all = [asked, known, running, numerator, denominator];
            wire.put(from, Kind::StatusRes, &all);
        }
    }

    fn option(&mut self, cx: &mut Cx, from: Peer, asked: &[u8]) {
        if self.config.tenants_file.is_some()
            && let Some(credential) = asked.strip_prefix(OPTION)
        {
            let known = self.log_in(from, until_nul(credential));
            let (_, mut wire) = self.split(cx);
            return match known {
                true => wire.put(from, Kind::OptionRes, &[b"tenant"]),
                false => wire.error(from, NO_TENANT),
            };
        }
        let known = match self.config.dialect {
            Dialect::Gearmand => until_nul(asked).eq_ignore_ascii_case(b"exceptions"),
            Dialect::Danga => asked == b"exceptions",
        };
        let (engine, mut wire) = self.split(cx);
        if known {
            engine.option_exceptions(from);
            wire.put(from, Kind::OptionRes, &[asked]);
        } else {
            wire.error(from, NO_OPTION);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        let all: [(&str, Option<u64>); 9] = [
            ("12", Some(12)),
            (" +12 apples", Some(12)),
            ("", Some(0)),
            ("abc", Some(0)),
            ("-5", Some(0)),
            ("9223372036854775807", Some(i64::MAX as u64)),
            ("9223372036854775808", None),
            ("99999999999999999999", None),
            ("0x10", Some(0)),
        ];
        for (text, read) in all {
            assert_eq!(number(text.as_bytes()), read, "{text:?}");
        }
    }
}

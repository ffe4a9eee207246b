//! Looking names up.

use crate::kit::{LIMIT, actor, done, fail, play_to, require};
use crate::{Arm, Body, Ending, Scene};
use storytime_machine::{Boot, Cx, Exit, IpAddr, Machine, ResolveError, Token};

pub(crate) const BODIES: &[Body] = &[Body {
    name: "names_are_found_with_their_addresses_in_order_or_not_at_all",
    needs: &[],
    run: names_are_found_with_their_addresses_in_order_or_not_at_all,
}];

/// Looks three names up at once.
struct LooksUp {
    wants: [(&'static str, Result<Vec<IpAddr>, ResolveError>); 3],
    answered: u32,
}

impl Machine for LooksUp {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        for (lookup, (name, _)) in self.wants.iter().enumerate() {
            cx.resolve(Token(lookup as u64), *name);
        }
    }

    fn resolved(&mut self, cx: &mut Cx, lookup: Token, result: Result<Vec<IpAddr>, ResolveError>) {
        match self.wants.get(lookup.0 as usize) {
            Some((_, wanted)) => require(cx, result == *wanted, "a name has other addresses"),
            None => return fail(cx, "a look-up was answered that nobody made"),
        }
        self.answered += 1;
        if self.answered == 3 {
            done(cx);
        }
    }
}

fn names_are_found_with_their_addresses_in_order_or_not_at_all(arm: &mut dyn Arm) {
    let (one, two) = (arm.ip(3), arm.ip(2));
    let machine = LooksUp {
        wants: [
            ("db1.storytime.invalid", Ok(vec![one])),
            ("nobody.storytime.invalid", Err(ResolveError::NotFound)),
            ("web.storytime.invalid", Ok(vec![one, two])),
        ],
        answered: 0,
    };
    let names = vec![
        ("db1.storytime.invalid".into(), vec![one]),
        ("web.storytime.invalid".into(), vec![one, two]),
    ];
    let cast = vec![actor("asker", arm.ip(0), machine)];
    play_to(Scene { cast, names, limit: LIMIT }, &[Ending::Exited(Exit::Stopped)], arm);
}

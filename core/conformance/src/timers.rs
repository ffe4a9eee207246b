//! Timers: set, moved, cancelled, in order.

use crate::kit::{actor, done, fail, play, require};
use crate::roles::Role;
use crate::{Arm, Body};
use storytime_machine::{Cx, Duration, Time, Token};

pub(crate) const BODIES: &[Body] = &[
    Body { name: "timers_fire_in_order_of_time", needs: &[], run: timers_fire_in_order_of_time },
    Body {
        name: "equal_deadlines_fire_in_order_of_setting",
        needs: &[],
        run: equal_deadlines_fire_in_order_of_setting,
    },
    Body { name: "a_timer_is_never_early", needs: &[], run: a_timer_is_never_early },
    Body { name: "a_moved_timer_fires_once", needs: &[], run: a_moved_timer_fires_once },
    Body { name: "a_cancelled_timer_is_silent", needs: &[], run: a_cancelled_timer_is_silent },
    Body { name: "a_timer_may_set_itself_again", needs: &[], run: a_timer_may_set_itself_again },
    Body {
        name: "a_timer_that_is_always_due_starves_no_other",
        needs: &[],
        run: a_timer_that_is_always_due_starves_no_other,
    },
    Body { name: "a_time_in_the_past_is_now", needs: &[], run: a_time_in_the_past_is_now },
];

const MS: Duration = Duration::from_millis(1);

/// What fired so far, and what is to have fired when token 0 does.
struct Order {
    fired: Vec<u64>,
    wants: &'static [u64],
}

impl Order {
    fn role(wants: &'static [u64], start: fn(&mut Self, &mut Cx)) -> Role<Self> {
        Role::alone(Self { fired: Vec::new(), wants }).start(start).timer(|s, cx, timer| {
            if timer == Token(0) {
                require(cx, s.fired == s.wants, "timers fired in another order");
                return done(cx);
            }
            s.fired.push(timer.0);
        })
    }
}

fn timers_fire_in_order_of_time(arm: &mut dyn Arm) {
    let role = Order::role(&[3, 1, 4, 2], |_, cx| {
        for (token, ms) in [(1, 20), (2, 40), (3, 10), (4, 30), (0, 50)] {
            cx.after(Token(token), ms * MS);
        }
    });
    play(vec![actor("timers", arm.ip(0), role)], arm);
}

fn equal_deadlines_fire_in_order_of_setting(arm: &mut dyn Arm) {
    let role = Order::role(&[5, 2, 9, 1, 7], |_, cx| {
        let when = cx.now() + 10 * MS;
        for token in [5, 2, 9, 1, 7, 0] {
            cx.at(Token(token), when);
        }
    });
    play(vec![actor("timers", arm.ip(0), role)], arm);
}

fn a_timer_is_never_early(arm: &mut dyn Arm) {
    let role = Role::alone((Time::ZERO, 0u32))
        .start(|s, cx| {
            s.0 = cx.now() + 7 * MS;
            cx.at(Token(1), s.0);
        })
        .timer(|s, cx, timer| {
            require(cx, cx.now() >= s.0, "a timer fired early");
            s.1 += 1;
            if s.1 == 20 {
                return done(cx);
            }
            s.0 = cx.now() + Duration::from_micros(1_234);
            cx.at(timer, s.0);
        });
    play(vec![actor("timers", arm.ip(0), role)], arm);
}

fn a_moved_timer_fires_once(arm: &mut dyn Arm) {
    let role = Order::role(&[2, 1, 3], |_, cx| {
        cx.after(Token(1), 5 * MS);
        cx.after(Token(2), 20 * MS);
        cx.after(Token(3), 10 * MS);
        cx.after(Token(1), 30 * MS);
        cx.after(Token(3), 40 * MS);
        cx.after(Token(2), MS);
        cx.after(Token(0), 60 * MS);
    });
    play(vec![actor("timers", arm.ip(0), role)], arm);
}

fn a_cancelled_timer_is_silent(arm: &mut dyn Arm) {
    let role = Order::role(&[2, 4], |_, cx| {
        for token in 1..=4 {
            cx.after(Token(token), token as u32 * 5 * MS);
        }
        cx.cancel(Token(1));
        cx.cancel(Token(3));
        cx.cancel(Token(3));
        cx.cancel(Token(99));
        // Cancelled and set again: it fires.
        cx.cancel(Token(4));
        cx.after(Token(4), 20 * MS);
        cx.after(Token(0), 40 * MS);
    });
    play(vec![actor("timers", arm.ip(0), role)], arm);
}

fn a_timer_may_set_itself_again(arm: &mut dyn Arm) {
    let role = Role::alone(0u32).start(|_, cx| cx.after(Token(1), MS)).timer(|count, cx, timer| {
        *count += 1;
        match *count {
            // Moving, cancelling and setting in the callback: the last call counts.
            10 => {
                cx.after(timer, MS);
                cx.cancel(timer);
                cx.after(Token(2), 5 * MS);
            }
            11 => {
                require(cx, timer == Token(2), "a timer that its callback cancelled fired");
                done(cx);
            }
            _ => cx.after(timer, MS),
        }
    });
    play(vec![actor("timers", arm.ip(0), role)], arm);
}

fn a_timer_that_is_always_due_starves_no_other(arm: &mut dyn Arm) {
    let role = Role::alone(0u32)
        .start(|_, cx| {
            cx.after(Token(1), Duration::ZERO);
            cx.after(Token(2), 5 * MS);
        })
        .timer(|count, cx, timer| {
            if timer == Token(2) {
                require(cx, *count > 0, "the timer that was due at once never fired");
                return done(cx);
            }
            *count += 1;
            // A driver whose clock stands still while timers fire would never come to the other.
            let pause = if *count < 1_000 { Duration::ZERO } else { MS };
            cx.after(timer, pause);
        });
    play(vec![actor("timers", arm.ip(0), role)], arm);
}

fn a_time_in_the_past_is_now(arm: &mut dyn Arm) {
    let role = Role::alone(())
        .start(|(), cx| {
            cx.at(Token(2), Time::MAX);
            cx.at(Token(1), Time::ZERO);
        })
        .timer(|(), cx, timer| {
            if timer == Token(1) {
                done(cx);
            } else {
                fail(cx, "the end of time came first");
            }
        });
    play(vec![actor("timers", arm.ip(0), role)], arm);
}

//! Who asks for what: classes of requests by weight, users by popularity, power users.

use super::keys::Keys;
use crate::diagnostic::Checked;
use crate::fields::{CHANCE, Fields, unknown};
use crate::models::KEYS_MAX;
use crate::read::{Parts, work};
use crate::story::{Class, Skew};
use storytime_machine::{Ratio, Rng};

/// The numbers of visits, as a file gives them.
#[derive(Clone, Debug)]
pub struct VisitNumbers {
    /// The story's classes.
    pub all: Vec<Class>,
    /// Which of them are asked for, by index.
    pub classes: Vec<usize>,
    /// How many users there are.
    pub population: u32,
    /// Which users come.
    pub skew: Skew,
    /// How many of the first users are power users, and what share of the requests is theirs.
    pub power: Option<(u32, Ratio)>,
}

impl VisitNumbers {
    /// Reads `classes`, `population`, `skew`, `power_users`, `power_share`.
    ///
    /// # Errors
    /// The first mistake found.
    pub fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Self> {
        let words = fields.texts("classes", "the name of a `[[class]]`")?;
        let mut classes = Vec::new();
        for word in &words {
            let found = parts.class_names.iter().position(|name| name.text == word.text);
            let names = parts.class_names.iter().map(|name| name.text.as_str());
            classes.push(found.ok_or_else(|| unknown(word, "class", names))?);
        }
        if words.is_empty() {
            classes = (0..parts.classes.len()).collect();
        }
        let population = fields.integer("population", 1..=KEYS_MAX, Some(1_000))? as u32;
        let power = match fields.get("power_users") {
            None => None,
            Some(_) => {
                let users = fields.integer("power_users", 1..=u64::from(population), None)?;
                Some((users as u32, fields.quantity("power_share", CHANCE, None)?))
            }
        };
        let skew = fields.choice("skew", work::SKEWS, Some(Skew::Uniform))?;
        Ok(Self { all: parts.classes.to_vec(), classes, population, skew, power })
    }
}

/// Draws visits.
#[derive(Debug)]
pub struct Visits {
    numbers: VisitNumbers,
    users: Keys,
    weights: u64,
}

impl Visits {
    /// Draws by these numbers.
    pub fn new(numbers: VisitNumbers) -> Self {
        let weight = |&class: &usize| u64::from(numbers.all[class].weight);
        let weights = numbers.classes.iter().map(weight).sum();
        Self { users: Keys::new(numbers.skew, numbers.population), weights, numbers }
    }

    /// The class and the user of the next request.
    ///
    /// # Panics
    /// If the load has no classes, which its reader rules out.
    pub fn draw(&self, rng: &mut Rng) -> (usize, u32) {
        let mut drawn = rng.below(self.weights);
        let chosen = self.numbers.classes.iter().find(|&&class| {
            let weight = u64::from(self.numbers.all[class].weight);
            let hit = drawn < weight;
            drawn = drawn.saturating_sub(weight);
            hit
        });
        let class = *chosen.expect("the draw is below the sum of the weights");
        (class, self.user(rng))
    }

    fn user(&self, rng: &mut Rng) -> u32 {
        match self.numbers.power {
            Some((users, share)) if rng.chance(share) => rng.below(u64::from(users)) as u32,
            _ => self.users.draw(rng),
        }
    }

    /// A class, by index.
    pub fn class(&self, index: usize) -> &Class {
        &self.numbers.all[index]
    }

    /// The path of a visit: `/view/839`.
    pub fn path(&self, class: usize, user: u32) -> String {
        format!("/{}/{user}", self.class(class).name)
    }

    /// The class and the user of a path.
    pub fn of_path(&self, path: &str) -> Option<(usize, u32)> {
        let (name, user) = path.strip_prefix('/')?.split_once('/')?;
        let class = self.numbers.all.iter().position(|class| class.name == name)?;
        Some((class, user.parse().ok()?))
    }

    /// How many users there are.
    pub const fn population(&self) -> u32 {
        self.numbers.population
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::Home;
    use std::time::Duration;

    fn class(name: &str, weight: u32) -> Class {
        Class {
            name: name.to_owned(),
            weight,
            cpu: (Duration::ZERO, Duration::ZERO),
            page_bytes: 0,
            home: Home::None,
            reads: 0,
            writes: 0,
            at_once: false,
            row_bytes: 0,
            rows: 1,
            look: None,
        }
    }

    fn visits(power: Option<(u32, Ratio)>) -> Visits {
        let all = vec![class("view", 9), class("post", 1)];
        let numbers = VisitNumbers {
            all,
            classes: vec![0, 1],
            population: 1_000,
            skew: Skew::Uniform,
            power,
        };
        Visits::new(numbers)
    }

    #[test]
    fn classes_come_by_their_weights() {
        let (visits, mut rng) = (visits(None), Rng::new(1, 1));
        let posts = (0..10_000).filter(|_| visits.draw(&mut rng).0 == 1).count();
        assert!((900..1_100).contains(&posts), "{posts}");
    }

    #[test]
    fn power_users_have_their_share_and_a_little_of_the_rest() {
        let (visits, mut rng) = (visits(Some((10, Ratio::new(1, 2)))), Rng::new(1, 1));
        let powerful = (0..10_000).filter(|_| visits.draw(&mut rng).1 < 10).count();
        assert!((4_800..5_300).contains(&powerful), "{powerful}");
    }

    #[test]
    fn a_path_is_read_back() {
        let visits = visits(None);
        assert_eq!(visits.of_path(&visits.path(1, 839)), Some((1, 839)));
        assert_eq!(visits.of_path("/edit/839"), None);
    }
}

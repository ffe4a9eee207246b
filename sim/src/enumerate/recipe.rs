//! The name of one crash state: which point, and what survived.

use crate::disk::CrashPlan;
use core::fmt;
use core::str::FromStr;

/// Where the power goes, and what it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Number of the point in this life of the machine, from 1.
    pub point: u64,
    /// What survives.
    pub plan: CrashPlan,
}

/// The way to one state: `17 only:3`, or `17 only:3 then 2 nothing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The cut that ends the script.
    pub first: Cut,
    /// The cut that ends the recovery after it, if one does.
    pub second: Option<Cut>,
}

/// Not a recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotARecipe;

impl fmt::Display for NotARecipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a recipe such as `17 only:3` or `17 mask:5 then 2 nothing`")
    }
}

impl std::error::Error for NotARecipe {}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.point, self.plan)
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        match &self.second {
            Some(second) => write!(f, " then {second}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Cut {
    type Err = NotARecipe;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let (point, plan) = s.split_once(' ').ok_or(NotARecipe)?;
        let point = point.parse().map_err(|_| NotARecipe)?;
        Ok(Self { point, plan: plan.parse().map_err(|_| NotARecipe)? })
    }
}

impl FromStr for Recipe {
    type Err = NotARecipe;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s.split_once(" then ") {
            None => Ok(Self { first: s.parse()?, second: None }),
            Some((first, second)) => {
                Ok(Self { first: first.parse()?, second: Some(second.parse()?) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipes_print_as_they_parse() {
        for text in ["17 only:3", "1 nothing", "4 mask:5 then 2 random:77:1/8"] {
            let recipe: Recipe = text.parse().expect("a recipe");
            assert_eq!(recipe.to_string(), text);
        }
        for bad in ["", "17", "only:3", "17 only:3 then", "x nothing", "1 nothing 2"] {
            assert_eq!(bad.parse::<Recipe>(), Err(NotARecipe), "{bad}");
        }
    }
}

//! Running loops in turns, so that whatever changes on the machine hits them all alike.

use crate::{Failure, Ratio, Spent, time};

/// A loop to be measured. All loops of a measurement do the same work.
pub trait Contender {
    /// Goes back to the state every run starts from. Not measured.
    ///
    /// # Errors
    ///
    /// Whatever the loop's calls report.
    fn rewind(&mut self) -> Result<(), Failure>;

    /// The work. What it returns is compared between the loops.
    ///
    /// # Errors
    ///
    /// Whatever the loop's calls report.
    fn run(&mut self) -> Result<Vec<i32>, Failure>;
}

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// How often all loops are built anew. Where memory happens to lie makes a loop some percent faster or slower.
    pub placements: usize,
    /// Blocks measured with each placement.
    pub blocks: usize,
}

/// Each loop run twice, in an order that reads the same backwards: what drifts evenly cancels out.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// The sum of both runs, by loop.
    pub spent: Vec<Spent>,
}

/// All blocks of a measurement, by placement. Loop 0 is the one the others are compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    placements: Vec<Vec<Block>>,
    units: usize,
}

impl Plan {
    /// Measures `n` loops, which `build` makes by number. `units` is what one run works off: tokens.
    ///
    /// # Errors
    ///
    /// Those of the loops, and loops that do not do the same work.
    pub fn measure(
        self,
        n: usize,
        units: usize,
        mut build: impl FnMut(usize) -> Result<Box<dyn Contender>, Failure>,
    ) -> Result<Measured, Failure> {
        let mut placements = Vec::new();
        for placement in 0..self.placements {
            let mut loops: Vec<(usize, Box<dyn Contender>)> = Vec::new();
            for i in turns(n, placement) {
                loops.push((i, build(i)?));
            }
            loops.sort_by_key(|(i, _)| *i);
            let mut loops: Vec<Box<dyn Contender>> = loops.into_iter().map(|(_, contender)| contender).collect();
            // Not counted: caches and page tables fill up, and the work is compared.
            block(&mut loops, &turns(n, placement))?;
            let blocks = (0..self.blocks).map(|i| block(&mut loops, &turns(n, placement + i)));
            placements.push(blocks.collect::<Result<_, _>>()?);
        }
        Ok(Measured { placements, units })
    }
}

/// The loops' numbers, another one first each time.
fn turns(n: usize, start: usize) -> Vec<usize> {
    (0..n).map(|i| (i + start) % n).collect()
}

fn block(loops: &mut [Box<dyn Contender>], order: &[usize]) -> Result<Block, Failure> {
    let mut spent = vec![Spent { wall: 0.0, cpu: Some(0.0) }; loops.len()];
    let mut first: Option<Vec<i32>> = None;
    for &i in order.iter().chain(order.iter().rev()) {
        loops[i].rewind()?;
        let (work, run) = time(|| loops[i].run());
        let work = work?;
        if first.as_ref().is_some_and(|first| *first != work) {
            return Err("the loops did not produce the same tokens, so their times cannot be compared".into());
        }
        first = Some(work);
        spent[i].wall += run.wall;
        spent[i].cpu = spent[i].cpu.zip(run.cpu).map(|(a, b)| a + b);
    }
    Ok(Block { spent })
}

impl Measured {
    /// Loop `i` in relation to loop 0, by time that passed.
    pub fn ratio(&self, i: usize) -> Option<Ratio> {
        self.ratio_by(i, |spent| Some(spent.wall))
    }

    /// Loop `i` in relation to loop 0, by time the measuring thread computed. It tells all only where there is one
    /// thread.
    pub fn cpu_ratio(&self, i: usize) -> Option<Ratio> {
        self.ratio_by(i, |spent| spent.cpu)
    }

    /// Units per second of loop `i`: the median of the blocks.
    pub fn rate(&self, i: usize) -> Option<f64> {
        #[allow(clippy::cast_precision_loss, reason = "a number of tokens")]
        let units = 2.0 * self.units as f64;
        let rates = self.placements.iter().flatten().map(|block| units / block.spent[i].wall).collect();
        Ratio::of(&[rates]).map(|rates| rates.median)
    }

    /// Adds the blocks of another measurement of the same loops.
    pub fn extend(&mut self, more: Self) {
        self.placements.extend(more.placements);
    }

    /// Units of one run.
    pub fn units(&self) -> usize {
        self.units
    }

    /// Blocks measured.
    pub fn blocks(&self) -> usize {
        self.placements.iter().map(Vec::len).sum()
    }

    fn ratio_by(&self, i: usize, clock: impl Fn(&Spent) -> Option<f64>) -> Option<Ratio> {
        let of_block = |block: &Block| Some(clock(&block.spent[0])? / clock(&block.spent[i])?);
        let of_placement = |blocks: &Vec<Block>| blocks.iter().map(of_block).collect::<Option<Vec<f64>>>();
        Ratio::of(&self.placements.iter().map(of_placement).collect::<Option<Vec<_>>>()?)
    }
}

/// How many steps take about `seconds`, between `min` and `max`, if `trial` steps take as long as `contender` does now.
///
/// # Errors
///
/// Those of the loop.
pub fn calibrate(
    contender: &mut dyn Contender,
    trial: usize,
    seconds: f64,
    (min, max): (usize, usize),
) -> Result<usize, Failure> {
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        contender.rewind()?;
        let (work, spent) = time(|| contender.run());
        work?;
        best = best.min(spent.wall);
    }
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of steps; a cast from float saturates"
    )]
    let steps = (seconds / (best / trial as f64)) as usize;
    Ok(steps.clamp(min, max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    /// Notes its number at each run.
    struct Noted {
        number: usize,
        runs: Rc<RefCell<Vec<usize>>>,
        work: Vec<i32>,
    }

    impl Contender for Noted {
        fn rewind(&mut self) -> Result<(), Failure> {
            Ok(())
        }

        fn run(&mut self) -> Result<Vec<i32>, Failure> {
            self.runs.borrow_mut().push(self.number);
            Ok(self.work.clone())
        }
    }

    #[test]
    fn every_block_reads_the_same_backwards() {
        let runs = Rc::new(RefCell::new(Vec::new()));
        let plan = Plan { placements: 1, blocks: 2 };
        let build = |number| -> Result<Box<dyn Contender>, Failure> {
            Ok(Box::new(Noted { number, runs: Rc::clone(&runs), work: vec![7] }))
        };
        let measured = plan.measure(3, 1, build).expect("nothing fails");
        assert_eq!(measured.blocks(), 2);
        let warm_up = [0, 1, 2, 2, 1, 0];
        assert_eq!(*runs.borrow(), [warm_up, [0, 1, 2, 2, 1, 0], [1, 2, 0, 0, 2, 1]].concat());
    }

    #[test]
    fn a_loop_that_takes_twice_as_long_has_a_ratio_of_one_half() {
        let spent = |wall| Spent { wall, cpu: Some(wall / 4.0) };
        let block = |seconds: f64| Block { spent: vec![spent(seconds), spent(2.0 * seconds)] };
        let mut measured = Measured { placements: vec![vec![block(1.0), block(3.0)]], units: 6 };
        measured.extend(Measured { placements: vec![vec![block(2.0)]], units: 6 });
        assert_eq!(measured.ratio(1).map(|ratio| ratio.median), Some(0.5));
        assert_eq!(measured.cpu_ratio(1).map(|ratio| ratio.median), Some(0.5));
        assert_eq!((measured.rate(0), measured.rate(1)), (Some(6.0), Some(3.0)));
    }

    #[test]
    fn loops_with_different_results_are_not_compared() {
        let plan = Plan { placements: 1, blocks: 1 };
        let runs = Rc::default();
        let result = plan.measure(2, 1, |number| {
            Ok(Box::new(Noted { number, runs: Rc::clone(&runs), work: vec![i32::try_from(number)?] }))
        });
        assert!(result.is_err());
    }

    #[test]
    fn every_loop_takes_its_turn_to_be_first() {
        assert_eq!([turns(3, 0), turns(3, 1), turns(3, 2)], [[0, 1, 2], [1, 2, 0], [2, 0, 1]]);
    }
}

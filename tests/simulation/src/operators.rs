//! What operators do to a running server: versions put in force, and what time makes needless cleared away.

use std::sync::Arc;

use tidegate::programme::{Bundle, BundleFile};
use tidegate::store::ActivationError;

use crate::quizzes;
use crate::rules::Rules;
use crate::traffic::Traffic;

fn bundle(text: String) -> Bundle {
    Bundle::from_files(vec![BundleFile { name: "programme.toml".into(), text }]).expect("one small file")
}

impl Traffic {
    /// Clears away what time has made needless. That is a change too, and finds no room on a full disk.
    pub fn maintain(&mut self) {
        if self.has_room() {
            let now_ms = self.now_ms();
            // Now and then only some of what is due is written down, and a crash may come between.
            self.process.store.sweep(now_ms, self.dice.between(0, 6) as usize);
            self.process.store.maintain(now_ms);
            self.model.maintain(now_ms);
        }
    }

    /// An operator publishes a question of a quiz, or changes one.
    pub fn publish(&mut self) {
        let number = self.dice.below(self.rules.len() as u64) as usize;
        let (programme, now_ms) = (number as u32 + 1, self.now_ms());
        if !self.has_room() || programme > self.model.programme_count() {
            return;
        }
        let body = quizzes::question(&mut self.dice, &self.rules[number].slug, now_ms);
        let store = Arc::clone(&self.process.store);
        let epoch = store.filling_epoch();
        let before = self.before(epoch);
        let published = store.publish_question(&body, now_ms);
        let told = published.map(|(published, _)| published).map_err(|error| error.to_string());
        self.trace.note(|| format!("{body:?} -> {told:?}"));
        match self.model.publish(programme, &body, now_ms, epoch, told) {
            Ok(true) => {
                self.changed(epoch, before);
                self.operator.push((epoch, epoch));
            }
            Ok(false) => {}
            Err(why) => self.fail(why),
        }
    }

    /// Puts in force what was there from the beginning and is not in force, or is lost.
    pub fn put_in_force(&mut self) {
        for number in 0..self.rules.len() {
            match self.model.rules(number as u32 + 1) {
                // What was put in force and lost is nobody's business any more.
                Some(in_force) => self.rules[number] = (*in_force).clone(),
                None => self.activate(number, self.rules[number].clone()),
            }
        }
    }

    /// An operator changes a programme.
    pub fn change_rules(&mut self) {
        let number = self.dice.below(self.rules.len() as u64) as usize;
        let mut rules = self.rules[number].clone();
        let now_ms = self.now_ms();
        if self.model.version(number as u32 + 1) > 0 {
            rules.change(&mut self.dice, now_ms);
        }
        self.activate(number, rules);
    }

    fn activate(&mut self, number: usize, rules: Rules) {
        let programme = number as u32 + 1;
        if !self.has_room() || programme > self.model.programme_count() + 1 {
            return;
        }
        let now_ms = self.now_ms();
        let store = Arc::clone(&self.process.store);
        // It is the first record of the epoch that begins with it.
        let stands_in = store.filling_epoch() + 1;
        let before = self.before(stands_in);
        let replaces = self.model.version(programme);
        match store.activate(bundle(rules.to_toml()), replaces, false, now_ms) {
            Ok(activated) => {
                self.model.activate(programme, rules.clone(), now_ms, stands_in);
                self.changed(stands_in, before);
                self.counts.activations += 1;
                let (version, epoch) = (activated.version, activated.epoch);
                self.trace.note(|| format!("programme {programme} version {version} in epoch {epoch}"));
                // An operator is told once that epoch is durable.
                self.operator.push((epoch, stands_in));
                self.rules[number] = rules;
            }
            // A window whose counts are folded is not to open again; and what was due is written down before.
            Err(error) if matches!(error, ActivationError::Behind) || error.to_string().contains("told apart") => {
                self.trace.note(|| format!("not activated: {error}"));
            }
            Err(error) => self.fail(format!("a programme that should compile does not: {error}\n{}", rules.to_toml())),
        }
    }
}

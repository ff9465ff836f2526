//! What came of the books.

use serde::Serialize;

use super::telling::Fault;

/// What was wrong, and how much was right.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Lines, orders and records that rha has acknowledged.
    pub acknowledged: u64,
    /// Records of the journal that were looked at.
    pub records: u64,
    /// What was acknowledged and is not in the journal, or not as it was; alarms recorded as sent that never came.
    pub lost: u64,
    /// Lines or orders that are there twice, and alarms that were sent twice with harm.
    pub doubled: u64,
    /// Lines or orders that overtook others of the same writer.
    pub disordered: u64,
    /// Records, lines or alarms that nobody has caused.
    pub strange: u64,
    /// Alarms that came.
    pub alarms: u64,
    /// Alarms that were sent again since nobody could know that they had been.
    pub resent: u64,
    /// Alarms that were decided while the journal could not be written.
    pub unrecorded: u64,
    /// What may be, and how often it was.
    pub forgiven: Forgiven,
    /// Each thing that was wrong, for people.
    pub told: Vec<String>,
}

/// Damage that the tool has done itself, where the journal says so.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Forgiven {
    /// `SpoolDamaged` just where the tool has torn the spool.
    pub torn_spools: u64,
    /// Lines that are missing: torn, not yet taken in, and passed over as damage.
    pub torn_lines: u64,
    /// Lines that are there twice: torn behind the agent's place, and still in the FIFO.
    pub torn_lines_again: u64,
    /// `SpoolDamaged` where a killed writer's line was cut off by the kernel at the end of a page. That line was
    /// not acknowledged, or is still in the FIFO.
    pub cut_short: u64,
    /// `JournalQuarantined` for a journal that the tool has torn.
    pub set_aside: u64,
    /// Acknowledged records that went with it.
    pub torn_records: u64,
    /// Orders among them.
    pub torn_orders: u64,
}

impl Tally {
    /// Nothing was wrong.
    pub fn is_good(&self) -> bool {
        self.lost + self.doubled + self.disordered + self.strange == 0
    }

    /// Notes a thing that is wrong.
    pub fn wrong(&mut self, fault: Fault, told: String) {
        match fault {
            Fault::Lost => self.lost += 1,
            Fault::Doubled => self.doubled += 1,
            Fault::Disordered => self.disordered += 1,
            Fault::Strange => self.strange += 1,
        }
        self.told.push(told);
    }

    /// Adds another one.
    pub fn add(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.records += other.records;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.disordered += other.disordered;
        self.strange += other.strange;
        self.alarms += other.alarms;
        self.resent += other.resent;
        self.unrecorded += other.unrecorded;
        self.forgiven.add(&other.forgiven);
        self.told.extend(other.told);
    }
}

impl Forgiven {
    fn add(&mut self, other: &Self) {
        self.torn_spools += other.torn_spools;
        self.torn_lines += other.torn_lines;
        self.torn_lines_again += other.torn_lines_again;
        self.cut_short += other.cut_short;
        self.set_aside += other.set_aside;
        self.torn_records += other.torn_records;
        self.torn_orders += other.torn_orders;
    }
}

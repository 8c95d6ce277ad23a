//! The data sets, one a file, in the grains that the agencies keep.

mod approval_cases;
mod ecommerce;
mod enterprises;
mod entity_snapshots;
mod establishment_cases;
mod project_items;
mod rankings;
mod real_estate_registrations;
mod registrations;
mod relief;
mod startups;

use std::fmt::Debug;

use super::World;
use super::rows::{Column, Rows};

/// Records of one grain.
pub(super) trait Dataset: Debug + Send + Sync {
    /// The columns of a row, in order.
    fn columns(&self) -> &'static [Column];

    /// How many things there are to write about.
    fn items(&self) -> u64;

    /// The rows about thing number `item`, from 0: none, one or a few, and the same whenever it is asked.
    fn write(&self, item: u64, rows: &mut Rows);
}

/// Makes a data set at a scale.
type Make = fn(World, f64) -> Box<dyn Dataset>;

/// The data sets by name.
pub(super) const ALL: &[(&str, Make)] = &[
    ("approval_cases", |world, scale| Box::new(approval_cases::ApprovalCases::new(world, scale))),
    ("ecommerce", |world, _| Box::new(ecommerce::Ecommerce::new(world))),
    ("enterprises", |world, scale| Box::new(enterprises::RawEnterprises::new(world, scale))),
    ("entity_snapshots", |world, _| Box::new(entity_snapshots::EntitySnapshots::new(world))),
    ("establishment_cases", |world, _| Box::new(establishment_cases::EstablishmentCases::new(world))),
    ("project_items", |world, scale| Box::new(project_items::ProjectItems::new(world, scale))),
    ("rankings", |world, _| Box::new(rankings::Rankings::new(world))),
    ("real_estate_registrations", |world, scale| {
        Box::new(real_estate_registrations::RealEstateRegistrations::new(world, scale))
    }),
    ("registrations", |world, _| Box::new(registrations::Registrations::new(world))),
    ("relief", |world, _| Box::new(relief::Relief::new(world))),
];

#[cfg(test)]
mod tests;

//! Bodies of replies, by tag. The engine's own types know nothing of this document, so their shapes are told here; a test
//! reads real replies against them.

#![allow(dead_code, reason = "these types are only described, never made")]

mod alerts;
mod dashboards;
mod metrics;
mod provenance;
mod queries;
mod runs;
mod service;
mod shared;
mod tables;

pub(crate) use alerts::{AlertDetail, AlertList};
pub(crate) use dashboards::{DashboardData, DashboardDetail, DashboardList};
pub(crate) use metrics::{MetricAnswer, MetricAnswers, MetricList};
pub(crate) use provenance::MetricOrigins;
pub(crate) use queries::{AsOf, QueryInfo, QueryList, QueryProfile};
pub(crate) use runs::{RejectedReply, RunFiles, RunReply};
pub(crate) use service::Health;
pub(crate) use shared::QueryReply;
pub(crate) use tables::{PageReply, PushReply, TableDetail, TableList};

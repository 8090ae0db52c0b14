//! Where two columns differ.

use arrow::array::{ArrayRef, BooleanArray};
use arrow::row::{RowConverter, SortField};
use sluice_engine::Result;

/// For each row whether the columns differ in it; NULL is equal to NULL.
///
/// # Errors
/// When the columns differ in type or length.
pub fn distinct(old: &ArrayRef, new: &ArrayRef) -> Result<BooleanArray> {
    if !old.data_type().is_nested() {
        return Ok(arrow::compute::kernels::cmp::distinct(old, new)?);
    }
    let converter = RowConverter::new(vec![SortField::new(old.data_type().clone())])?;
    let old = converter.convert_columns(std::slice::from_ref(old))?;
    let new = converter.convert_columns(std::slice::from_ref(new))?;
    Ok(old.iter().zip(&new).map(|(o, n)| Some(o != n)).collect())
}

/**
 * What stands in the footer of every file: constant for one product version, so that the same input gives the same bytes.
 * The form is the one that parquet-java's version parser expects ("application version X (build Y)"); engines use it to work
 * around known bugs of known writers. The version is that of package.json (a test holds them together).
 */
export const PRODUCT_VERSION = '0.1.0'
export const CREATED_BY = `parquet-intake version ${PRODUCT_VERSION} (build ${PRODUCT_VERSION})`

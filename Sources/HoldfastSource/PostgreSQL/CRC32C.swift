internal import CPostgres

/// The Castagnoli CRC, as PostgreSQL uses it for its control file and the records of its WAL.
struct CRC32C {
  private var state = UInt32.max

  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    guard let start = bytes.baseAddress else { return }
    state = holdfast_crc32c(state, start, bytes.count)
  }

  var value: UInt32 { ~state }
}

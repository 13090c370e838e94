internal import CISAL
package import HoldfastModel

/// Thrown when more blocks are lost than the parity can replace, or when they are named wrongly.
package struct ErasureError: OperatorError, Equatable {
  package let message: String

  package init(message: String) { self.message = message }

  package var hint: String? { nil }
  package var exitStatus: ExitStatus { .dataLoss }
  package var scope: ErrorScope { .repository }
}

/// Computes blocks of parity for blocks of data, and rebuilds lost ones: any `dataCount` of them all give back the
/// rest. All blocks are equally long. It is the Reed-Solomon code of ISA-L with a Cauchy matrix (format.md, section 4),
/// of which every choice of rows can be inverted.
///
/// A block has a number: the data first, from 0 on, then the parity.
package struct ErasureCode: Hashable, Sendable {
  /// The most blocks of data and parity together.
  package static let blocksMax = 255
  /// The length of ISA-L's table for one coefficient.
  private static let tableCount = 32

  package let dataCount: Int
  package let parityCount: Int
  /// The coefficients of the parity: a row for each of its blocks, with one for each block of data.
  private let rows: [UInt8]
  private let tables: [UInt8]

  /// `nil` unless both numbers are positive and their sum is at most `blocksMax`.
  package init?(data: Int, parity: Int) {
    guard data >= 1, parity >= 1, data <= Self.blocksMax, parity <= Self.blocksMax - data else { return nil }
    (dataCount, parityCount) = (data, parity)
    var matrix = [UInt8](repeating: 0, count: (data + parity) * data)
    matrix.withUnsafeMutableBufferPointer {
      gf_gen_cauchy1_matrix($0.baseAddress, Int32(data + parity), Int32(data))
    }
    rows = Array(matrix[(data * data)...])
    tables = Self.tables(rows, sources: data)
  }

  /// Computes the parity of all data.
  /// - Parameters:
  ///   - data: `dataCount` blocks.
  ///   - count: the length of each block.
  ///   - parity: room for `parityCount` blocks.
  package func encode(
    _ data: [UnsafePointer<UInt8>], count: Int, into parity: [UnsafeMutablePointer<UInt8>]
  ) {
    precondition(data.count == dataCount && parity.count == parityCount, "each block needs its place")
    Self.combine(data, count: count, tables, into: parity)
  }

  /// Adds one block of data to parity that begins as zeros. When all data was added once, in any order, it is the
  /// parity that `encode` computes.
  /// - Parameter number: the number of the block.
  package func update(
    _ parity: [UnsafeMutablePointer<UInt8>], with data: UnsafePointer<UInt8>, number: Int, count: Int
  ) {
    precondition(parity.count == parityCount && (0..<dataCount).contains(number), "each block needs its place")
    withUnsafeTemporaryAllocation(of: UnsafeMutablePointer<UInt8>?.self, capacity: parityCount) { targets in
      for (index, block) in parity.enumerated() { targets[index] = block }
      tables.withUnsafeBufferPointer { tables in
        ec_encode_data_update(
          Int32(count), Int32(dataCount), Int32(parityCount), Int32(number),
          UnsafeMutablePointer(mutating: tables.baseAddress), UnsafeMutablePointer(mutating: data),
          targets.baseAddress)
      }
    }
  }

  /// Rebuilds lost blocks from others.
  /// - Parameters:
  ///   - lost: the numbers of the blocks to rebuild, each once.
  ///   - available: sound blocks with their numbers, none of which is lost; at least `dataCount`.
  ///   - count: the length of each block.
  ///   - blocks: room for the lost blocks, in their order.
  /// - Throws: when that is not possible.
  package func rebuild(
    _ lost: [Int], from available: [(number: Int, block: UnsafePointer<UInt8>)], count: Int,
    into blocks: [UnsafeMutablePointer<UInt8>]
  ) throws(ErasureError) {
    precondition(lost.count == blocks.count, "each block needs its place")
    guard !lost.isEmpty else { return }
    let sources = try sources(available.map(\.number), lost: lost)
    let chosen = sources.map { available[$0].block }
    let coefficients = try coefficients(of: lost, from: sources.map { available[$0].number })
    Self.combine(chosen, count: count, Self.tables(coefficients, sources: chosen.count), into: blocks)
  }

  // MARK: Coefficients

  /// Returns the places, in a list of available blocks, of those that are read: all data, and as many blocks of parity
  /// as blocks of data are missing.
  private func sources(_ available: [Int], lost: [Int]) throws(ErasureError) -> [Int] {
    let all = available + lost
    guard all.allSatisfy({ (0..<dataCount + parityCount).contains($0) }), Set(all).count == all.count else {
      throw ErasureError(message: "a block is named twice, or there is none of its number")
    }
    let places = available.indices.sorted { available[$0] < available[$1] }.prefix(dataCount)
    guard places.count == dataCount else {
      throw ErasureError(message: "\(available.count) blocks are sound, and \(dataCount) are needed")
    }
    return Array(places)
  }

  /// Returns the coefficients with which lost blocks are sums of `dataCount` others.
  /// - Parameter sources: their numbers, ascending.
  private func coefficients(of lost: [Int], from sources: [Int]) throws(ErasureError) -> [UInt8] {
    let known = sources.prefix { $0 < dataCount }
    let parity = sources.dropFirst(known.count).map { $0 - dataCount }
    let missing = Array(Set(0..<dataCount).subtracting(known)).sorted()
    let inverse = try inverse(rows: parity, columns: missing)
    /// The coefficients of the missing data, row by row.
    var data = [[UInt8]](repeating: [UInt8](repeating: 0, count: dataCount), count: missing.count)
    for row in missing.indices {
      for (index, parityRow) in parity.enumerated() {
        let factor = inverse[row * missing.count + index]
        for (place, number) in known.enumerated() { data[row][place] ^= gf_mul(factor, coefficient(parityRow, number)) }
        data[row][known.count + index] = factor
      }
    }
    return lost.flatMap { number -> [UInt8] in
      if let row = missing.firstIndex(of: number) { return data[row] }
      let parityRow = number - dataCount
      var sum = [UInt8](repeating: 0, count: dataCount)
      for (place, number) in known.enumerated() { sum[place] = coefficient(parityRow, number) }
      for (row, number) in missing.enumerated() {
        let factor = coefficient(parityRow, number)
        for place in sum.indices { sum[place] ^= gf_mul(factor, data[row][place]) }
      }
      return sum
    }
  }

  private func coefficient(_ row: Int, _ column: Int) -> UInt8 { rows[row * dataCount + column] }

  /// Returns the inverse of the square that some rows and columns of the matrix form.
  private func inverse(rows chosen: [Int], columns: [Int]) throws(ErasureError) -> [UInt8] {
    guard !columns.isEmpty else { return [] }
    var square = chosen.flatMap { row in columns.map { coefficient(row, $0) } }
    var inverse = [UInt8](repeating: 0, count: square.count)
    let failure = square.withUnsafeMutableBufferPointer { square in
      inverse.withUnsafeMutableBufferPointer {
        gf_invert_matrix(square.baseAddress, $0.baseAddress, Int32(columns.count))
      }
    }
    // Every square of a Cauchy matrix has an inverse.
    guard failure == 0 else { throw ErasureError(message: "the matrix of the lost blocks cannot be inverted") }
    return inverse
  }

  // MARK: ISA-L

  private static func tables(_ coefficients: [UInt8], sources: Int) -> [UInt8] {
    var tables = [UInt8](repeating: 0, count: coefficients.count * tableCount)
    coefficients.withUnsafeBufferPointer { coefficients in
      tables.withUnsafeMutableBufferPointer {
        ec_init_tables(
          Int32(sources), Int32(coefficients.count / sources), UnsafeMutablePointer(mutating: coefficients.baseAddress),
          $0.baseAddress)
      }
    }
    return tables
  }

  /// Computes sums of the sources, each with the coefficients of its own table.
  private static func combine(
    _ sources: [UnsafePointer<UInt8>], count: Int, _ tables: [UInt8], into targets: [UnsafeMutablePointer<UInt8>]
  ) {
    var from: [UnsafeMutablePointer<UInt8>?] = sources.map { UnsafeMutablePointer(mutating: $0) }
    var to: [UnsafeMutablePointer<UInt8>?] = targets
    tables.withUnsafeBufferPointer { tables in
      from.withUnsafeMutableBufferPointer { from in
        to.withUnsafeMutableBufferPointer { to in
          ec_encode_data(
            Int32(count), Int32(from.count), Int32(to.count), UnsafeMutablePointer(mutating: tables.baseAddress),
            from.baseAddress, to.baseAddress)
        }
      }
    }
  }
}

internal import HoldfastCodec
internal import HoldfastModel
internal import HoldfastSystem

/// Makes the shards of an object of its bytes, which come in order. It holds one stripe: only when the object has ended
/// is it known how the last one is divided.
final class ShardEncoder {
  /// Gets bytes of one shard, in order; they are valid during the call.
  typealias Emit = (_ position: Int, _ bytes: UnsafeRawBufferPointer) throws -> Void

  private let object: ShardObjectName
  private let scheme: ErasureScheme
  private let code: ErasureCode
  private let stripe: Buffer
  private let parity: Buffer
  /// The checksums of the units so far, by position.
  private var tables: [[UInt8]]
  private var length: UInt64 = 0

  init(_ object: ShardObjectName, _ scheme: ErasureScheme, _ code: ErasureCode) {
    (self.object, self.scheme, self.code) = (object, scheme, code)
    stripe = Buffer(capacity: scheme.data * Int(ShardLayout.unitBytes))
    parity = Buffer(capacity: scheme.parity * Int(ShardLayout.unitBytes))
    tables = Array(repeating: [], count: scheme.shards)
  }

  func append(_ bytes: UnsafeRawBufferPointer, _ emit: Emit) throws {
    var rest = bytes
    while !rest.isEmpty {
      if stripe.count == stripe.capacity { try flush(emit) }
      let count = min(rest.count, stripe.capacity - stripe.count)
      stripe.append(UnsafeRawBufferPointer(rebasing: rest[..<count]))
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      length += UInt64(count)
    }
  }

  /// Ends all shards.
  /// - Returns: the last bytes of each shard, which show that it is the one that was made here.
  func finish(_ emit: Emit) throws -> [[UInt8]] {
    if stripe.count > 0 { try flush(emit) }
    let layout = ShardLayout(scheme, length: length)
    return try (0..<scheme.shards).map { position in
      let trailer = ShardTrailer(repository: object.repository, object: object.id, layout, position)
      let bytes = trailer.serialized(tables[position])
      try bytes.withUnsafeBytes { try emit(position, $0) }
      return Array(bytes.suffix(ShardTrailer.byteCount))
    }
  }

  /// Passes on the stripe, which is full or the last.
  private func flush(_ emit: Emit) throws {
    let unit = (stripe.count + scheme.data - 1) / scheme.data
    let used = stripe.count
    // What a unit of data lacks counts as zeros.
    UnsafeMutableRawBufferPointer(rebasing: stripe.bytes[used..<unit * scheme.data]).initializeMemory(
      as: UInt8.self, repeating: 0)
    let data = (0..<scheme.data).map {
      UnsafeMutableRawBufferPointer(rebasing: stripe.bytes[$0 * unit..<($0 + 1) * unit])
    }
    let made = (0..<scheme.parity).map {
      UnsafeMutableRawBufferPointer(rebasing: parity.bytes[$0 * unit..<($0 + 1) * unit])
    }
    code.encode(data.compactMap(\.readable), count: unit, into: made.compactMap(\.writable))
    for position in 0..<scheme.data {
      let count = min(unit, max(0, used - position * unit))
      try pass(UnsafeRawBufferPointer(rebasing: data[position][..<count]), to: position, emit)
    }
    for (index, block) in made.enumerated() { try pass(UnsafeRawBufferPointer(block), to: scheme.data + index, emit) }
    stripe.count = 0
  }

  private func pass(_ unit: UnsafeRawBufferPointer, to position: Int, _ emit: Emit) throws {
    guard !unit.isEmpty else { return }
    tables[position] += CRC32.checksum(unit).littleEndianBytes
    try emit(position, unit)
  }
}

extension UnsafeMutableRawBufferPointer {
  /// The same bytes for a function of C that reads them; `nil` if there are none.
  var readable: UnsafePointer<UInt8>? { writable.map { UnsafePointer($0) } }

  /// The same bytes for a function of C that writes them; `nil` if there are none.
  var writable: UnsafeMutablePointer<UInt8>? { bindMemory(to: UInt8.self).baseAddress }
}

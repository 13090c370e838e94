internal import HoldfastModel

/// Bytes that can be read at any offset and never change: an object of a store, or a file of our own.
package protocol ReadableBytes: Sendable {
  /// The number of bytes.
  var length: UInt64 { get }
  /// The name of the bytes in messages.
  var name: String { get }
  /// Fills all of `buffer` from `offset` on. Throws an error if the bytes end before.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws
  /// Fills several buffers. For a remote object, neighbouring ranges are read with one request, and other ranges at the
  /// same time.
  func read(_ parts: [ReadPart]) throws
  /// Announces ranges that will be read soon, in this order, so that they can be fetched ahead. It affects only speed.
  func expect(_ ranges: [Range<UInt64>])
  /// The same bytes at each target of several, each to be read at that target only. They serve a caller that has found
  /// the bytes it read to be damaged. Empty for bytes that are in one place only.
  var copies: [any ReadableBytes] { get }
  /// Notes that the bytes are damaged here, while another copy is sound.
  func noteDamage(_ damage: any Error)
  /// True if reading a range tells anything of the place that is proved; false if all of it comes from elsewhere.
  func isProof(of range: Range<UInt64>) -> Bool
}

extension ReadableBytes {
  /// Reads one range after the other, which is right for an object without latency.
  package func read(_ parts: [ReadPart]) throws {
    for part in parts { try read(into: part.buffer, at: part.offset) }
  }

  package func expect(_ ranges: [Range<UInt64>]) {}

  package var copies: [any ReadableBytes] { [] }

  package func noteDamage(_ damage: any Error) {}

  package func isProof(of range: Range<UInt64>) -> Bool { true }

  /// Calls `body` with these bytes and, if it finds damage, with each copy of them.
  /// - Throws: the first error of `body`.
  package func firstSound<Found>(_ body: (any ReadableBytes) throws -> Found) throws -> Found {
    do {
      return try body(self)
    } catch  where error.isDamage {
      return try sound(after: error, body)
    }
  }

  /// Calls `body` with each copy of these bytes, until it finds no damage.
  /// - Parameter damage: the damage to the bytes that were read here. It is thrown if no copy is better.
  package func sound<Found>(after damage: any Error, _ body: (any ReadableBytes) throws -> Found) throws -> Found {
    var damaged: [(bytes: any ReadableBytes, damage: any Error)] = [(self, damage)]
    for copy in copies {
      do {
        let found = try body(copy)
        for (bytes, damage) in damaged { bytes.noteDamage(damage) }
        return found
      } catch let error as Interrupted {
        throw error
      } catch  where error.isDamage {
        damaged.append((copy, error))
      } catch {
        // This target does not answer, but the next may.
      }
    }
    throw damage
  }
}

/// A buffer to fill, with the offset of its bytes in the object. It is used for one read.
package struct ReadPart: @unchecked Sendable {
  // Sendable without a lock: one thread fills the buffer, and its owner waits for that.
  package let offset: UInt64
  package let buffer: UnsafeMutableRawBufferPointer

  package init(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) {
    self.offset = offset
    self.buffer = buffer
  }
}

/// A destination of bytes that are written once, in order.
package protocol ByteSink: AnyObject {
  func append(_ bytes: UnsafeRawBufferPointer) throws
}

internal import HoldfastModel

/// Bytes that can be read at any offset and never change: an object of a store, or a file of our own.
package protocol ReadableBytes: Sendable {
  /// Number of bytes.
  var length: UInt64 { get }
  /// The name of the bytes in messages.
  var name: String { get }
  /// Fills all of `buffer` from `offset` on; throws when the bytes end before.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws
  /// Fills several buffers. For a remote object, neighbouring ranges are read with one request, and others at the same
  /// time.
  func read(_ parts: [ReadPart]) throws
  /// Announces what will be read soon, in this order, so that it can be fetched ahead. It affects only speed.
  func expect(_ ranges: [Range<UInt64>])
  /// The same bytes as each of several places has them, every one to be read there alone, for whoever has found that
  /// those that were read here are damaged. Empty for bytes that are in one place.
  var copies: [any ReadableBytes] { get }
  /// Tells that the bytes are damaged here, and are sound in another place.
  func noteDamage(_ damage: any Error)
}

extension ReadableBytes {
  /// Objects without latency are read one range after the other.
  package func read(_ parts: [ReadPart]) throws {
    for part in parts { try read(into: part.buffer, at: part.offset) }
  }

  package func expect(_ ranges: [Range<UInt64>]) {}

  package var copies: [any ReadableBytes] { [] }

  package func noteDamage(_ damage: any Error) {}

  /// Calls `body` with these bytes and, when it finds damage, with those of each place that has them.
  /// - Throws: what `body` has thrown first.
  package func firstSound<Found>(_ body: (any ReadableBytes) throws -> Found) throws -> Found {
    do {
      return try body(self)
    } catch  where error.isDamage {
      return try sound(after: error, body)
    }
  }

  /// Calls `body` with the bytes of each place that has them, until it finds no damage.
  /// - Parameter damage: what was found wrong with the bytes that were read here; it is thrown when no place has better
  ///   ones.
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
        // This place does not answer, and the next may.
      }
    }
    throw damage
  }
}

/// A buffer to fill, with the offset of its bytes in the object. It is used for one read.
package struct ReadPart: @unchecked Sendable {
  // Sendable without a lock: one thread fills the buffer, and its owner waits until that has happened.
  package let offset: UInt64
  package let buffer: UnsafeMutableRawBufferPointer

  package init(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) {
    self.offset = offset
    self.buffer = buffer
  }
}

/// Takes bytes that are written once, in order.
package protocol ByteSink: AnyObject {
  func append(_ bytes: UnsafeRawBufferPointer) throws
}

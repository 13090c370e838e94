internal import HoldfastArchive
package import HoldfastModel
package import HoldfastStore
package import HoldfastSystem

/// The mark of a place: an ID that is stored there and nowhere else (format.md, section 1). By it a machine notices
/// that a target was made anew at the same location, so that what it has proved there before does not count.
package enum PlaceMark {
  /// The text of an ID, and a newline.
  private static let bytesMax = 2 * Identifier.byteCount + 1

  /// Returns the mark of a place; `nil` if it has none that is sound.
  package static func read(in store: any Store) throws -> Identifier? {
    do {
      let bytes = try store.object(Keys.place).contents(max: bytesMax)
      return bytes.last == UInt8(ascii: "\n") ? Identifier(String(decoding: bytes.dropLast(), as: UTF8.self)) : nil
    } catch StoreError.notFound {
      return nil
    } catch is DamageError {
      return nil
    }
  }

  /// Marks a place that has no mark.
  /// - Returns: the new mark; `nil` if another run was faster.
  @discardableResult
  package static func make(in store: any Store, _ random: Randomness) throws -> Identifier? {
    let mark = random.identifier()
    do {
      try store.put(Array("\(mark)\n".utf8), at: Keys.place)
      return mark
    } catch StoreError.alreadyExists {
      return nil
    }
  }
}

/// The identity of a place for the memory of a machine: its location, and the mark there.
package struct PlaceIdentity: Hashable, Sendable {
  package let location: String
  /// `nil` if it has none.
  package let mark: Identifier?

  package init(_ location: String, _ mark: Identifier?) { (self.location, self.mark) = (location, mark) }
}

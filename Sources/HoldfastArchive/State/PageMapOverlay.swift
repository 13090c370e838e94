internal import HoldfastCodec
package import HoldfastModel

/// Several maps of one file laid over each other: for every page, the newest extent that contains it.
package struct PageMapOverlay: PageMapReader {
  private var layers: [any PageMapReader]
  private var current: [PageExtent?]
  /// The first page of each layer's current extent; `UInt64.max` at the end of a layer. It is an array of its own
  /// because it is searched for every extent.
  private var starts: [UInt64]
  private let pageCount: UInt64
  private let pageSize: UInt32
  private let coversAll: Bool
  private let name: String
  private var position: UInt64 = 0
  /// The limits up to which pages of each layer may be inherited; `nil` when the caller checks that.
  private let reaches: [Reach]?

  /// The first pages of a layer that the newest layer may inherit. It may not inherit a page that had another length in
  /// between, or was missing.
  private struct Reach {
    /// The number of pages that have the same length in all layers down to this one.
    var same: UInt64
    /// The number of pages that exist in all of them. This is enough for pages of zeros, whose length may differ.
    var present: UInt64

    func covers(_ extent: PageExtent, upTo end: UInt64) -> Bool { end <= (extent.location == nil ? present : same) }
  }

  /// - Parameters:
  ///   - layers: the newest first.
  ///   - sizes: the size of the file in each layer, in bytes. If given, a page is taken from a layer only when it has
  ///     had the same length ever since (format.md, section 6).
  ///   - coversAll: true if every page must be in some layer; otherwise pages that are in none are left out.
  ///   - name: the name of what is read, for messages.
  package init(
    layers: [any PageMapReader], sizes: [UInt64]? = nil, file: FileContent, coversAll: Bool, name: String
  ) throws {
    self.layers = layers
    reaches = sizes.map { Self.reaches($0, pageSize: file.pageSize) }
    self.pageCount = file.pageCount
    self.pageSize = file.pageSize
    self.coversAll = coversAll
    self.name = name
    current = []
    starts = []
    for index in layers.indices {
      let extent = try self.layers[index].next()
      current.append(extent)
      starts.append(extent?.first ?? .max)
    }
  }

  package mutating func next() throws -> PageExtent? {
    while position < pageCount {
      if let index = try newestLayer(), let extent = current[index] {
        var end = min(extent.end, pageCount)
        for newer in 0..<index { end = min(end, starts[newer]) }
        if let reaches, !reaches[index].covers(extent, upTo: end) {
          throw DamageError(name, "page \(end - 1) of a file is inherited, and was not there in this length")
        }
        defer { position = end }
        return extent.slice(from: position, to: end, pageSize: pageSize)
      }
      guard !coversAll else { throw DamageError(name, "page \(position) of a file is in no snapshot of the chain") }
      position = starts.min() ?? pageCount
    }
    return nil
  }

  private static func reaches(_ sizes: [UInt64], pageSize: UInt32) -> [Reach] {
    var reach = Reach(same: .max, present: .max)
    return sizes.indices.map { index in
      if index > 0, sizes[index] != sizes[index - 1] {
        reach.same = min(reach.same, min(sizes[index], sizes[index - 1]) / UInt64(pageSize))
      }
      reach.present = min(reach.present, Pages.count(size: sizes[index], pageSize: pageSize))
      return reach
    }
  }

  /// Returns the index of the newest layer whose current extent contains `position`.
  private mutating func newestLayer() throws -> Int? {
    for index in starts.indices where starts[index] <= position {
      while let extent = current[index], extent.end <= position {
        current[index] = try layers[index].next()
        starts[index] = current[index]?.first ?? .max
      }
      if starts[index] <= position { return index }
    }
    return nil
  }
}

/// Computes the file digest from extents (format.md, section 6).
package final class FileDigester {
  private var hasher = PageDigestStream()
  /// True if a stored page has the digest that only pages of zeros may have.
  package private(set) var hasStoredZeros = false

  package init() {}

  package func add(_ extent: PageExtent) {
    guard extent.location != nil else { return hasher.addZeros(extent.count) }
    if hasher.add(extent.digests) { hasStoredZeros = true }
  }

  /// Returns the digest of a file of this size. No more extents may be added.
  package func finish(size: UInt64, pageSize: UInt32) -> Digest { hasher.finish(size: size, pageSize: pageSize) }
}

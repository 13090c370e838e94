package import HoldfastArchive
package import HoldfastModel
internal import HoldfastStore
internal import HoldfastSystem

extension Catalog {
  /// Returns the outlines of all committed snapshots of a source, in ascending order of their sequence numbers. A
  /// manifest that has the digest of a known outline is not parsed again, which takes most of the time.
  /// - Parameter known: outlines by sequence number, from manifests that were checked when they were read. They are not
  ///   used in a sealed repository, because a writer may have been revoked since.
  package func outlines(
    of source: SourceName, known: [UInt64: SnapshotOutline], onDamage: (DamageError) -> Void
  ) throws -> [SnapshotOutline] {
    guard !known.isEmpty, !keyring.isSealed else {
      return try committedSnapshots(of: source, onDamage: onDamage).map { SnapshotOutline($0) }
    }
    let numbers: [UInt64]
    do {
      numbers = try sequences(of: source)
    } catch let damage as DamageError {
      onDamage(damage)
      return []
    }
    return try outlines(of: source, numbers, known: known).compactMap { result in
      switch result {
      case .success(let outline): return outline
      case .failure(let damage):
        onDamage(damage)
        return nil
      }
    }
  }

  private static let outlinesAtOnce = 1024

  private func outlines(
    of source: SourceName, _ numbers: [UInt64], known: [UInt64: SnapshotOutline]
  ) throws -> [Result<SnapshotOutline, DamageError>] {
    var results: [Result<SnapshotOutline, DamageError>] = []
    for start in stride(from: 0, to: numbers.count, by: Self.outlinesAtOnce) {
      let some = Array(numbers[start..<min(start + Self.outlinesAtOnce, numbers.count)])
      store.prefetch(some.map { (Keys.manifest(source, $0), nil) })
      results += try some.mapInParallel(workers: host.workers, batch: 64) { number in
        do {
          return try outline(of: source, number, known: known[number]).map { .success($0) }
        } catch let damage as DamageError {
          return .failure(damage)
        }
      }.compactMap { $0 }
    }
    return results
  }

  private func outline(
    of source: SourceName, _ number: UInt64, known: SnapshotOutline?
  ) throws -> SnapshotOutline? {
    guard let manifest = try manifest(of: source, number) else { return nil }
    if let known {
      let bytes = try? manifest.contents(max: Limits.envelopeBytesMax)
      if let bytes, Snapshot.digest(ofManifest: bytes) == known.digest { return known }
    }
    return SnapshotOutline(try snapshot(manifest, of: source, number))
  }
}

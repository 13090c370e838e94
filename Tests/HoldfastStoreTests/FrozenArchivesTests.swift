import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

@Suite(.timeLimit(.minutes(30))) struct FrozenArchivesTests {
  private func object(
    _ storageClass: FrozenObject.StorageClass, _ length: UInt64, isThawing: Bool = false
  )
    -> FrozenObject
  {
    FrozenObject(
      bucket: "orders", key: "shop/a", length: length, storageClass: storageClass, isThawing: isThawing)
  }

  @Test func eachStorageClassIsToldWithItsTime() {
    let error = FrozenArchives(
      [object(.glacier, 1 << 20), object(.deepArchive, 3 << 30), object(.deepArchive, 1 << 30, isThawing: true)],
      location: "PLACE")
    #expect(
      error.message
        == "PLACE must thaw first what is needed: 1 archive with 1.0 MiB in the storage class GLACIER, which takes 3 to 5 hours with the tier Standard, 5 to 12 hours with Bulk, some minutes with Expedited; 2 archives with 4.0 GiB in the storage class DEEP_ARCHIVE, which takes up to 12 hours with the tier Standard, up to 48 hours with Bulk (it is thawing 1 archive already)"
    )
    #expect(error.exitStatus == .failed && error.scope == .machine)
  }

  /// A listing tells the class; what was thawed counts as readable, and what is in another class is not asked for.
  @Test func aListingShowsWhatIsCold() throws {
    let server = PretendS3()
    let store = server.store { settings in
      settings.archiveStorageClass = "GLACIER"
      settings.isArchive = { $0.hasPrefix("a") }
    }
    for key in ["a", "b"] {
      let writer = try store.create(key)
      try ([1, 2, 3] as [UInt8]).withUnsafeBytes { try writer.append($0) }
      try writer.commit()
    }
    let found = try store.find(["a", "b", "c"])
    #expect(found.first == .cold(length: 3))
    #expect(found.map { $0?.length } == [3, 3, nil] && found[1] != .cold(length: 3))
    #expect(
      try store.frozen(["a", "b", "c"]) == [
        FrozenObject(bucket: "orders", key: "shop/a", length: 3, storageClass: .glacier, isThawing: false)
      ])
    #expect(throws: S3Error.isCold(key: "a", location: server.location, storageClass: "GLACIER")) {
      try store.open("a")
    }
    server.set(.thawed)
    #expect(try store.frozen(["a", "b"]) == [])
    #expect(try store.open("a").length == 3)
  }
}

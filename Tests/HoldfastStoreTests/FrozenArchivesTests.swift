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

  private static let versions = """
    <ListVersionsResult><Version><Key>shop/a</Key><VersionId>v2</VersionId><Size>9</Size><IsLatest>true</IsLatest>\
    </Version><Version><Key>shop/a</Key><VersionId>v1</VersionId><Size>3</Size><StorageClass>GLACIER</StorageClass>\
    </Version></ListVersionsResult>
    """

  /// Without its ID, another version would be thawed than the one that is read.
  @Test func anEarlierVersionIsThawedByItsID() throws {
    let server = PretendS3()
    server.fail(
      .init("GET", "versions", .answer(200, body: Self.versions)),
      .init("HEAD", "versionId=v1", .answer(200, headers: [("x-amz-storage-class", "GLACIER")])))
    let object = try #require(try server.store { $0.versions = .first }.frozen(["a"]).first)
    #expect(object.version == "v1" && object.line == "shop/a\tv1")
    #expect(
      FrozenArchives([object], location: "PLACE").hint
        == #"`holdfast restore --dry-run` prints their keys and versions. Thaw each with `aws s3api restore-object --bucket orders --key KEY --version-id VERSION --restore-request '{"Days":7,"GlacierJobParameters":{"Tier":"Standard"}}'`, and run the same command again when that is done."#
    )
    let current = self.object(.glacier, 3)
    #expect(current.line == "shop/a")
    #expect(FrozenArchives([current], location: "PLACE").hint?.contains("version") == false)
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
    #expect(try store.find(["a"]) == [.cold(length: 3)] && store.find(["b"]) != [.cold(length: 3)])
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

import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A hostile server that always has more to list holds no run for ever, and does not fill its memory: what was listed
/// is dealt with page by page, keys are as short as S3 has them, and bytes and time of a listing are bounded.
@Suite(.timeLimit(.minutes(30))) struct S3ListingLimitTests {
  /// Lists new names under new tokens for ever, or so many pages. What it lists is never gone.
  private static let script = """
    counts = {}


    def answer(peer, request):
        peer.body()
        with open(directory + "/shape") as file:
            keys, length, pages = (int(word) for word in file.read().split())
        if request.method == "DELETE":
            return peer.reply(204, {}, "")
        if request.method == "POST":
            return peer.reply(200, {}, "<DeleteResult/>")
        kind = "uploads" if "uploads" in request.query else "objects"
        count = counts[kind] = counts.get(kind, 0) + 1
        names = [f"shop/a/{count:09}-{index:09}".ljust(length, "x") for index in range(keys)]
        more = "true" if count < pages else "false"
        if "uploads" in request.query:
            entries = "".join(f"<Upload><Key>{name}</Key><UploadId>1</UploadId></Upload>" for name in names)
            return peer.reply(200, {}, f"<ListMultipartUploadsResult>{entries}<IsTruncated>{more}</IsTruncated>"
                              f"<NextKeyMarker>{count}</NextKeyMarker><NextUploadIdMarker>1</NextUploadIdMarker>"
                              "</ListMultipartUploadsResult>")
        if "versions" in request.query:
            entries = "".join(f"<Version><Key>{name}</Key><VersionId>1</VersionId><Size>1</Size>"
                              "<IsLatest>true</IsLatest></Version>" for name in names)
            return peer.reply(200, {}, f"<ListVersionsResult>{entries}<IsTruncated>{more}</IsTruncated>"
                              f"<NextKeyMarker>{count}</NextKeyMarker></ListVersionsResult>")
        entries = "".join(f"<Contents><Key>{name}</Key><Size>1</Size></Contents>" for name in names)
        peer.reply(200, {}, f"<ListBucketResult>{entries}<IsTruncated>{more}</IsTruncated>"
                   f"<NextContinuationToken>{count}</NextContinuationToken></ListBucketResult>")
    """
  private let server = ScriptedServer(Self.script)

  /// - Parameters:
  ///   - length: of each key in bytes.
  ///   - pages: of the listing; without end by default.
  private func serve(keys: Int, length: Int, pages: Int = 1_000_000_000) {
    TestFiles.write("\(keys) \(length) \(pages)", to: server.file("shape"))
  }

  private func store(_ change: (inout S3Settings) -> Void = { _ in }) -> S3Store {
    var settings = S3Settings { _ in S3Credentials(accessKeyID: "id", secretKey: "secret") }
    change(&settings)
    return S3Store(
      HTTPServer(host: "127.0.0.1", port: server.port, isEncrypted: false), bucket: "orders", prefix: "shop/",
      location: "PLACE", settings, host: TestHost.make())
  }

  private func unavailable(_ reason: String) -> StoreError { .unavailable(location: "PLACE", reason: reason) }

  @Test func aKeyIsAsLongAsS3HasIt() throws {
    serve(keys: 1, length: 1024, pages: 1)
    #expect(try store().names(below: "a/").map(\.utf8.count) == [1024 - "shop/a/".count])
    serve(keys: 1, length: 1025)
    for versions in [VersionChoice.current, .first] {
      let error = #expect(throws: StoreError.self) { try store { $0.versions = versions }.names(below: "a/") }
      #expect(error?.message.hasPrefix("PLACE does not answer: its answer is no listing") == true)
    }
  }

  @Test(arguments: [VersionChoice.current, .first])
  func aListingEndsWhenItHasTooManyBytes(_ versions: VersionChoice) throws {
    serve(keys: 100, length: 100)
    let store = store {
      $0.versions = versions
      $0.listingLimits.bytesMax = 200_000
    }
    #expect(throws: unavailable("its listing does not end")) { try store.names(below: "a/") }
    #expect((5...20).contains(server.requests.count), "\(server.requests.count)")
  }

  @Test func aListingEndsWhenItTakesTooLong() throws {
    serve(keys: 1, length: 100)
    let store = store { $0.listingLimits.timeMax = .milliseconds(200) }
    #expect(throws: unavailable("its listing does not end")) { try store.names(below: "a/") }
  }

  /// 32 MiB of names are kept, and of those that are not wanted fewer.
  @Test func namesThatFillTheMemoryAreRefused() throws {
    serve(keys: 1000, length: 1000)
    #expect(throws: unavailable("its listing has names that no repository has")) { try store().names(below: "a/") }
    #expect((33...36).contains(server.requests.count), "\(server.requests.count)")
    let limited = store { $0.listingLimits.bytesMax = 60 << 20 }
    #expect(throws: unavailable("its listing does not end")) {
      try limited.list("a/", .children, after: nil, max: 10)
    }
  }

  @Test func aListingOfUploadsIsBoundedToo() throws {
    serve(keys: 10, length: 100)
    let store = store { $0.listingLimits.bytesMax = 10_000 }
    #expect(throws: unavailable("its listing does not end")) { try store.unfinished(below: "a/", .everything) }
    #expect(server.requests.allSatisfy { $0.method == "GET" } && server.requests.count < 10)
  }

  /// Each page of a removal is removed before the next one is asked for, so no more than one is kept. The last removal
  /// is that of the folder.
  @Test func aRemovalOfObjectsGoesPageByPage() throws {
    serve(keys: 10, length: 100, pages: 3)
    try store().removeAll(below: "a/")
    let methods = server.requests.filter { !$0.target.contains("uploads") && $0.method != "DELETE" }.map(\.method)
    #expect(methods == ["GET", "POST", "GET", "POST", "GET", "POST", "POST"])
  }

  @Test func anAnswerWithTooManyElementsIsNone() {
    let many = String(repeating: "<a/>", count: 100_001)
    #expect(XMLElement.parse(Array("<R>\(many)</R>".utf8)) == nil)
    #expect(XMLElement.parse(Array("<R>\(many.dropLast(8))</R>".utf8))?.children.count == 99_999)
  }
}

package import HoldfastModel
package import HoldfastStore
package import HoldfastSystem

/// A small S3 server that keeps objects in memory, and treats some requests as a test says.
package final class PretendS3: Sendable {
  /// A fault that happens to a request instead of, or after, its normal effect.
  package struct Fault {
    /// `GET`, or empty for every method.
    let method: String
    /// A part of the target, as it was sent.
    let target: String
    let effect: Effect
    /// The number of requests to which it happens.
    let times: Int

    package enum Effect {
      /// The request has its effect, and the connection is closed without an answer.
      case loseAnswer
      /// An answer, and nothing else.
      case answer(Int, headers: [(name: String, value: String)] = [], body: String = "")

      /// An answer with a code of S3.
      package static func refuse(_ status: Int, _ code: String, _ more: String = "") -> Effect {
        .answer(
          status,
          body: "<?xml version=\"1.0\"?>\n<Error><Code>\(code)</Code><Message>Access Denied</Message>\(more)</Error>")
      }
    }

    package init(_ method: String, _ target: String = "", _ effect: Effect, times: Int = 1) {
      (self.method, self.target, self.effect, self.times) = (method, target, effect, times)
    }
  }

  package static let bucket = "orders"
  private static let credentials = S3Credentials(
    accessKeyID: "AKIDHARMLESS", secretKey: "hunter2secret", sessionToken: "hunter2token")
  private let server: ScriptedServer

  /// - Parameters:
  ///   - verifiesChecksums: true if it verifies the SHA-256 of bodies as Amazon does, and wants them again when parts
  ///     are joined.
  ///   - isStrict: true if it behaves as the documents of Amazon and MinIO say that a server may: the creation of an
  ///     object meets a conflict first, a join of parts fails after it began to succeed, parts must not be too small,
  ///     and now and then a request comes too fast.
  package init(
    certificate: ScriptedServer.Certificate? = nil, verifiesChecksums: Bool = false, isStrict: Bool = false
  ) {
    let settings = ["verifies_checksums": verifiesChecksums, "strict": isStrict]
      .map { "\($0) = \($1 ? "True" : "False")\n" }.joined()
    server = ScriptedServer(settings + Self.script, certificate: certificate)
  }

  /// Its certificate, to be trusted.
  package var certificates: Path { server.certificates }

  /// The secrets that must not appear in a message.
  package static let secrets = ["AKIDHARMLESS", "hunter2secret", "hunter2token"]

  package var location: String { "s3:http://127.0.0.1:\(server.port)/\(Self.bucket)/shop/" }

  package var requests: [ScriptedServer.Request] { server.requests }

  package func store(
    _ cancellation: Cancellation = Cancellation(), prefix: String = "shop/", clock: Clock = .system,
    _ change: (inout S3Settings) -> Void = { _ in }
  ) -> S3Store {
    var settings = S3Settings { _ in Self.credentials }
    change(&settings)
    return S3Store(
      HTTPServer(host: "127.0.0.1", port: server.port, isEncrypted: false), bucket: Self.bucket, prefix: prefix,
      location: location.replacing("/shop/", with: "/\(prefix)"), settings,
      host: Host(clock: clock, cancellation: cancellation, workers: 2, scratchDirectories: []))
  }

  /// Sets the faults of the next requests. The first fault that fits a request happens to it.
  package func fail(_ faults: Fault...) {
    let lines = faults.map { fault in
      var fields = [fault.method, fault.target, String(fault.times)]
      switch fault.effect {
      case .loseAnswer: fields.append("lose")
      case .answer(let status, let headers, let body):
        fields += [String(status), body] + headers.flatMap { [$0.name, $0.value] }
      }
      return fields.map { Hex.encode($0.utf8) }.joined(separator: ",")
    }
    // The file appears at once, so that the server reads all of it.
    TestFiles.write(lines.joined(separator: "\n") + "\n", to: server.file("faults.unfinished"))
    TestFiles.rename(server.file("faults.unfinished"), to: server.file("faults"))
  }

  /// The degree to which all objects in cold storage classes are thawed.
  package enum Thaw: String { case frozen, thawing, thawed }

  package func set(_ thaw: Thaw) {
    TestFiles.write(thaw.rawValue, to: server.file("thaw.unfinished"))
    TestFiles.rename(server.file("thaw.unfinished"), to: server.file("thaw"))
  }

  /// Holds back the answers to requests until `count` of them are under way at once, for at most 20 seconds. From then
  /// on they are counted, and answered at once.
  /// - Parameter bytes: only requests for, or with, at least this many bytes are held back.
  package func holdAnswers(_ method: String, _ target: String, bytes: Int = 0, until count: Int) {
    TestFiles.write("\(method) \(target) \(count) \(bytes)", to: server.file("meeting.unfinished"))
    TestFiles.rename(server.file("meeting.unfinished"), to: server.file("meeting"))
  }

  /// The largest number of them that were under way at once.
  package var mostAtOnce: Int {
    Int(String(decoding: TestFiles.read(server.file("most")) ?? [], as: UTF8.self)) ?? 0
  }

  private static let script = """
    objects, uploads, classes, faults, met, count = {}, {}, {}, [], set(), 0
    meeting, arrived, under_way = [], threading.Condition(lock), {"now": 0, "most": 0}
    http_date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())


    def fault(request):
        with lock:
            if os.path.exists(directory + "/faults"):
                with open(directory + "/faults") as file:
                    lines = [line.split(",") for line in file.read().split()]
                os.remove(directory + "/faults")
                faults[:] = [[bytes.fromhex(field).decode() for field in line] for line in lines]
            for fields in faults:
                method, target, times = fields[:3]
                if method in ("", request.method) and target in request.target and int(times) > 0:
                    fields[2] = str(int(times) - 1)
                    return fields[3:]


    def size(request):
        if "range" not in request.headers:
            return int(request.headers.get("content-length", 0))
        first, last = request.headers["range"][len("bytes="):].split("-")
        return int(last) - int(first) + 1


    def meet(request):
        with arrived:
            if os.path.exists(directory + "/meeting"):
                with open(directory + "/meeting") as file:
                    meeting[:] = file.read().split()
                os.remove(directory + "/meeting")
                under_way["most"] = 0
            if not meeting or request.method != meeting[0] or meeting[1] not in request.target:
                return
            if size(request) < int(meeting[3]):
                return
            under_way["now"] += 1
            under_way["most"] = max(under_way["most"], under_way["now"])
            with open(directory + "/most", "w") as file:
                file.write(str(under_way["most"]))
            arrived.notify_all()
            arrived.wait_for(lambda: under_way["most"] >= int(meeting[2]), timeout=20)
            under_way["now"] -= 1


    def answer(peer, request):
        fields = fault(request)
        if fields and fields[0] != "lose":
            peer.body()
            return peer.reply(int(fields[0]), dict(zip(fields[2::2], fields[3::2])), fields[1])
        body = peer.body()
        meet(request)
        reply = strictly(request, body) if strict else done(request, body)
        if fields:
            return False
        peer.reply(*reply, request.method)


    def strictly(request, body):
        global count
        with lock:
            count += 1
            if count % 50 == 0:
                return refusal(503, "SlowDown")
            if request.headers.get("if-none-match") and (request.target, body) not in met:
                met.add((request.target, body))
                if request.method == "POST":
                    return 200, {}, "<Error><Code>InternalError</Code></Error>"
                return refusal(409, "ConditionalRequestConflict")
            parts = uploads.get(request.query.get("uploadId"), {})
            if request.method == "POST" and any(len(parts[each]) < 5 << 20 for each in sorted(parts)[:-1]):
                return refusal(400, "EntityTooSmall")
        return done(request, body)


    def refusal(status, code):
        return status, {}, f"<Error><Code>{code}</Code></Error>"


    def thaw(key):
        # Nothing for objects that are not in a cold storage class.
        if classes.get(key) not in ("GLACIER", "DEEP_ARCHIVE"):
            return None
        if not os.path.exists(directory + "/thaw"):
            return "frozen"
        with open(directory + "/thaw") as file:
            return file.read()


    def state_of(key):
        restore = {"thawing": 'ongoing-request="true"',
                   "thawed": 'ongoing-request="false", expiry-date="Fri, 23 Dec 2026 00:00:00 GMT"'}.get(thaw(key))
        headers = {"x-amz-storage-class": classes[key]} if classes.get(key) else {}
        return {**headers, **({"x-amz-restore": restore} if restore else {})}


    def done(request, body):
        key, query, method = request.path[len("/orders/"):], request.query, request.method
        with lock:
            if not request.path.startswith("/orders"):
                return refusal(404, "NoSuchBucket")
            if not key:
                return listing(query) if method == "GET" and "uploads" not in query else of_bucket(method, query, body)
            sent, digest = request.headers.get("x-amz-checksum-sha256"), base64.b64encode(hashlib.sha256(body).digest())
            if verifies_checksums and sent and sent != digest.decode():
                return refusal(400, "BadDigest")
            checksum = {"x-amz-checksum-sha256": sent} if verifies_checksums and sent else {}
            if request.headers.get("x-amz-storage-class"):
                classes[key] = request.headers["x-amz-storage-class"]
            if "uploads" in query:
                uploads[str(len(uploads) + 1)] = {}
                algorithm = request.headers.get("x-amz-checksum-algorithm")
                headers = {"x-amz-checksum-algorithm": algorithm} if verifies_checksums and algorithm else {}
                return 200, headers, f"<R><UploadId>{len(uploads)}</UploadId></R>"
            if "uploadId" in query:
                return part(key, request, body, checksum)
            if method == "PUT":
                if request.headers.get("if-none-match") == "*" and key in objects:
                    return refusal(412, "PreconditionFailed")
                objects[key] = body
                return 200, {"ETag": '"1"', **checksum}, ""
            if method == "DELETE":
                objects.pop(key, None)
                return 204, {}, ""
            if key not in objects:
                return refusal(404, "NoSuchKey")
            if method == "HEAD":
                return 200, state_of(key), objects[key]
            if thaw(key) in ("frozen", "thawing"):
                return 403, {}, f"<Error><Code>InvalidObjectState</Code><StorageClass>{classes[key]}</StorageClass></Error>"
            return some(objects[key], request.headers.get("range"))


    def some(content, header):
        if not header:
            return 200, {}, content
        first, last = (int(number) for number in header[len("bytes="):].split("-"))
        if first >= len(content):
            return 416, {"Content-Range": f"bytes */{len(content)}"}, ""
        last = min(last, len(content) - 1)
        return 206, {"Content-Range": f"bytes {first}-{last}/{len(content)}"}, content[first:last + 1]


    def part(key, request, body, checksum):
        parts = uploads.get(request.query["uploadId"])
        if parts is None:
            return refusal(404, "NoSuchUpload")
        if request.method == "PUT":
            parts[int(request.query["partNumber"])] = body
            return 200, {"ETag": f'"{len(body)}"', **checksum}, ""
        if request.method == "POST" and verifies_checksums:
            wanted = [base64.b64encode(hashlib.sha256(parts[number]).digest()).decode() for number in sorted(parts)]
            if [text.split("<")[0] for text in body.decode().split("<ChecksumSHA256>")[1:]] != wanted:
                return refusal(400, "InvalidPart")
        if request.method == "POST" and request.headers.get("if-none-match") == "*" and key in objects:
            return refusal(412, "PreconditionFailed")
        del uploads[request.query["uploadId"]]
        if request.method == "POST":
            objects[key] = b"".join(parts[number] for number in sorted(parts))
        return 200, {}, "<CompleteMultipartUploadResult/>"


    def listing(query):
        # One key a page, so that a short list has several.
        prefix, start = query.get("prefix", ""), query.get("continuation-token", "")
        delimiter, names = query.get("delimiter"), {}
        for key in objects:
            if key.startswith(prefix):
                folder = delimiter and key[len(prefix):].partition(delimiter)
                names[prefix + folder[0] + delimiter if folder and folder[1] else key] = len(objects[key])
        names = sorted(item for item in names.items() if item[0] > start)
        entries = ""
        for name, length in names[:1]:
            shown = urllib.parse.quote(name)
            if delimiter and name.endswith(delimiter):
                entries = f"<CommonPrefixes><Prefix>{shown}</Prefix></CommonPrefixes>"
            else:
                entries = (
                    f"<Contents><Key>{shown}</Key><Size>{length}</Size>"
                    f"<ETag>&quot;{tag(objects[name])}&quot;</ETag>"
                    f"<StorageClass>{classes.get(name, 'STANDARD')}</StorageClass></Contents>")
        if len(names) > 1:
            entries += f"<IsTruncated>true</IsTruncated><NextContinuationToken>{names[0][0]}</NextContinuationToken>"
        return 200, {}, f"<ListBucketResult><EncodingType>url</EncodingType>{entries}</ListBucketResult>"


    def tag(content):
        return hashlib.md5(content).hexdigest()


    def of_bucket(method, query, body):
        if "delete" in query:
            for key in body.decode().split("<Key>")[1:]:
                objects.pop(key.split("</Key>")[0], None)
            return 200, {}, "<DeleteResult/>"
        entries = "".join(f"<Upload><Key>shop/x</Key><UploadId>{name}</UploadId></Upload>" for name in uploads)
        return 200, {}, f"<ListMultipartUploadsResult>{entries}</ListMultipartUploadsResult>"
    """
}

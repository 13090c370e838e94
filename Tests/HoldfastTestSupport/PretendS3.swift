internal import HoldfastModel
package import HoldfastStore
package import HoldfastSystem

/// A small server of S3 that keeps objects in memory, and does with some requests what a test says.
package final class PretendS3: Sendable {
  /// What happens to a request instead of, or after, what it asks for.
  package struct Fault {
    /// `GET`, or empty for every method.
    let method: String
    /// What the target contains, as it was sent.
    let target: String
    let effect: Effect
    /// How many requests it happens to.
    let times: Int

    package enum Effect {
      /// The request does what it asks for, and the connection is closed without an answer.
      case loseAnswer
      /// An answer, and nothing else.
      case answer(Int, headers: [(name: String, value: String)] = [], body: String = "")

      /// An answer with a code of S3.
      package static func refuse(_ status: Int, _ code: String, _ more: String = "") -> Effect {
        .answer(
          status, body: "<?xml version=\"1.0\"?>\n<Error><Code>\(code)</Code><Message>no</Message>\(more)</Error>")
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

  package init(certificate: ScriptedServer.Certificate? = nil) {
    server = ScriptedServer(Self.script, certificate: certificate)
  }

  /// What nobody may read in a message.
  package static let secrets = ["AKIDHARMLESS", "hunter2secret", "hunter2token"]

  package var location: String { "s3:http://127.0.0.1:\(server.port)/\(Self.bucket)/shop/" }

  package var requests: [ScriptedServer.Request] { server.requests }

  package func store(
    _ cancellation: Cancellation = Cancellation(), _ change: (inout S3Settings) -> Void = { _ in }
  ) -> S3Store {
    var settings = S3Settings { _ in Self.credentials }
    change(&settings)
    return S3Store(
      HTTPServer(host: "127.0.0.1", port: server.port, isEncrypted: false), bucket: Self.bucket, prefix: "shop/",
      location: location, settings, host: Host(cancellation: cancellation, workers: 2, scratchDirectories: []))
  }

  /// What happens to the next requests. The first fault that fits one happens to it.
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
    // A file appears at once, so that the server reads all of it.
    TestFiles.write(lines.joined(separator: "\n") + "\n", to: server.file("faults.unfinished"))
    TestFiles.rename(server.file("faults.unfinished"), to: server.file("faults"))
  }

  private static let script = """
    objects, uploads, faults = {}, {}, []
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


    def answer(peer, request):
        fields = fault(request)
        if fields and fields[0] != "lose":
            peer.body()
            return peer.reply(int(fields[0]), dict(zip(fields[2::2], fields[3::2])), fields[1])
        reply = done(request, peer.body())
        if fields:
            return False
        peer.reply(*reply)


    def refusal(status, code):
        return status, {}, f"<Error><Code>{code}</Code></Error>"


    def done(request, body):
        key, query, method = request.path[len("/orders/"):], request.query, request.method
        with lock:
            if not request.path.startswith("/orders"):
                return refusal(404, "NoSuchBucket")
            if not key:
                return listing(query) if method == "GET" and "uploads" not in query else of_bucket(method, query, body)
            if "uploads" in query:
                uploads[str(len(uploads) + 1)] = {}
                return 200, {}, f"<R><UploadId>{len(uploads)}</UploadId></R>"
            if "uploadId" in query:
                return part(key, request, body)
            if method == "PUT":
                if request.headers.get("if-none-match") == "*" and key in objects:
                    return refusal(412, "PreconditionFailed")
                objects[key] = body
                return 200, {"ETag": '"1"'}, ""
            if method == "DELETE":
                objects.pop(key, None)
                return 204, {}, ""
            if key not in objects:
                return refusal(404, "NoSuchKey")
            return some(objects[key], request.headers.get("range"))


    def some(content, header):
        if not header:
            return 200, {}, content
        first, last = (int(number) for number in header[len("bytes="):].split("-"))
        if first >= len(content):
            return 416, {"Content-Range": f"bytes */{len(content)}"}, ""
        last = min(last, len(content) - 1)
        return 206, {"Content-Range": f"bytes {first}-{last}/{len(content)}"}, content[first:last + 1]


    def part(key, request, body):
        parts = uploads.get(request.query["uploadId"])
        if parts is None:
            return refusal(404, "NoSuchUpload")
        if request.method == "PUT":
            parts[int(request.query["partNumber"])] = body
            return 200, {"ETag": f'"{len(body)}"'}, ""
        if request.method == "POST" and request.headers.get("if-none-match") == "*" and key in objects:
            return refusal(412, "PreconditionFailed")
        del uploads[request.query["uploadId"]]
        if request.method == "POST":
            objects[key] = b"".join(parts[number] for number in sorted(parts))
        return 200, {}, "<CompleteMultipartUploadResult/>"


    def listing(query):
        # One key a page, so that a short list has several.
        prefix, start = query.get("prefix", ""), query.get("continuation-token", "")
        names = sorted(key for key in objects if key.startswith(prefix) and key > start)
        entries = "".join(
            f"<Contents><Key>{key}</Key><Size>{len(objects[key])}</Size></Contents>" for key in names[:1])
        if len(names) > 1:
            entries += f"<IsTruncated>true</IsTruncated><NextContinuationToken>{names[0]}</NextContinuationToken>"
        return 200, {}, f"<ListBucketResult>{entries}</ListBucketResult>"


    def of_bucket(method, query, body):
        if "delete" in query:
            for key in body.decode().split("<Key>")[1:]:
                objects.pop(key.split("</Key>")[0], None)
            return 200, {}, "<DeleteResult/>"
        entries = "".join(f"<Upload><Key>shop/x</Key><UploadId>{name}</UploadId></Upload>" for name in uploads)
        return 200, {}, f"<ListMultipartUploadsResult>{entries}</ListMultipartUploadsResult>"
    """
}

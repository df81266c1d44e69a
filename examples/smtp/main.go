// Sends a mail over a lease of a submission server.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

var client = &http.Client{Timeout: 40 * time.Second}

func call(method, path, contentType, body string) (string, http.Header) {
	request, err := http.NewRequest(method, os.Getenv("SOCKPOOL_URL")+path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("SOCKPOOL_TOKEN"))
	request.Header.Set("Content-Type", contentType)
	answer, err := client.Do(request)
	if err != nil {
		panic(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 400 {
		panic(fmt.Sprint(answer.Status, " ", string(text), " ", err))
	}
	return string(text), answer.Header
}

func write(lease, text string) {
	call("POST", lease+"/write", "application/octet-stream", text)
}

func expect(lease, code string) {
	text, _ := call("POST", lease+"/readframe", "application/octet-stream", "")
	fmt.Print(text)
	if !strings.HasPrefix(text, code) {
		panic(text)
	}
}

func release(lease string) {
	var released struct{ Outcome, Reason string }
	text, _ := call("DELETE", lease, "application/octet-stream", "")
	if err := json.Unmarshal([]byte(text), &released); err != nil {
		panic(err)
	}
	fmt.Println(released.Outcome, released.Reason)
}

func main() {
	_, made := call("POST", "/v1/leases", "application/json", `{"target":"mail"}`)
	lease := made.Get("Location")
	defer release(lease)
	write(lease, "MAIL FROM:<app@example.com>\r\nRCPT TO:<ada@example.org>\r\nDATA\r\n")
	for _, code := range []string{"250", "250", "354"} {
		expect(lease, code)
	}
	write(lease, "Subject: Lunch\r\n\r\nAt noon?\r\n.\r\n")
	expect(lease, "250")
}

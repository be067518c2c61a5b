#!/usr/bin/env bash
# Lets CodeDeploy move the alias to a version, and waits for it: fails if an alarm rolled it back. The variables are set in
# canary.tf. Needs the AWS CLI.
set -euo pipefail

current=$(aws lambda get-alias --function-name "$FUNCTION" --name "$ALIAS" --query FunctionVersion --output text)
if [[ $current == "$VERSION" ]]; then
  echo "$FUNCTION: $ALIAS is version $VERSION already"
  exit
fi

printf -v content '{"version":0.0,"Resources":[{"authorizer":{"Type":"AWS::Lambda::Function","Properties":{"Name":"%s","Alias":"%s","CurrentVersion":"%s","TargetVersion":"%s"}}}]}' \
  "$FUNCTION" "$ALIAS" "$current" "$VERSION"
deployment=$(aws deploy create-deployment --application-name "$APPLICATION" --deployment-group-name "$DEPLOYMENT_GROUP" \
  --revision "{\"revisionType\":\"AppSpecContent\",\"appSpecContent\":{\"content\":\"${content//\"/\\\"}\"}}" \
  --query deploymentId --output text)
echo "$FUNCTION: from version $current to $VERSION by deployment $deployment"

while :; do
  status=$(aws deploy get-deployment --deployment-id "$deployment" --query deploymentInfo.status --output text)
  case $status in
    Succeeded) exit ;;
    Failed | Stopped) break ;;
  esac
  sleep "${POLL_SECONDS:-10}"
done
echo "$FUNCTION: version $VERSION was rolled back, $ALIAS is version $current again:" >&2
aws deploy get-deployment --deployment-id "$deployment" --query deploymentInfo.errorInformation.message --output text >&2
exit 1
